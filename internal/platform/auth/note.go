package auth

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"plateau/internal/platform/audit"
	"plateau/internal/platform/db"
)

// note appends the entry of an act on an account, such as "account.close", in the
// transaction of the act; call it last there. Who did it is the principal of ctx
// (With), else the program itself or the shell (audit.WithShell). detail are names
// and values; no secret and no hash of one belongs into it.
//
// Whatever changes an account, a session, a token or a way to sign in calls it.
func (s *Service) note(ctx context.Context, tx *db.Tx, act, userID string, detail ...any) error {
	p := From(ctx)
	if !p.Known() {
		p = System
	}
	e := p.Entry(s.now(), "platform", act, "account", userID)
	said := map[string]any{}
	for i := 0; i+1 < len(detail); i += 2 {
		said[fmt.Sprint(detail[i])] = detail[i+1]
	}
	if shell := audit.Shell(ctx); shell != "" {
		said["shell"] = shell
	}
	if len(said) > 0 {
		e.Detail = jsonText(said)
	}
	if userID != "" {
		e.Subjects = []string{userID}
	}
	return audit.Append(ctx, tx, e)
}

// jsonText is JSON of texts, numbers and times.
func jsonText(v map[string]any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // there is nothing else in it
	}
	return string(text)
}

// maxAddresses bounds the different addresses that are remembered of failed tries.
const maxAddresses = 100

// failures counts failed tries between two calls of NoteFailures, by account; ""
// stands for all logins that there are not. An entry for each try could be had as
// often as somebody asks, and would make a wrong password of a login that there
// is answer later than one of a login that there is not.
type failures struct {
	mu sync.Mutex
	by map[string]*failed
}

// failed are the tries of one account.
type failed struct {
	n, codes  int // tries; of these, with a wrong code after the right password
	first     time.Time
	last      time.Time
	addresses []string // the first ones, each once
}

func (f *failures) add(userID, address string, code bool, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.by == nil {
		f.by = map[string]*failed{}
	}
	x := f.by[userID]
	if x == nil {
		x = &failed{first: now}
		f.by[userID] = x
	}
	x.n, x.last = x.n+1, now
	if code {
		x.codes++
	}
	x.from(address)
}

func (x *failed) from(addresses ...string) {
	for _, a := range addresses {
		if len(x.addresses) < maxAddresses && !slices.Contains(x.addresses, a) {
			x.addresses = append(x.addresses, a)
		}
	}
}

// take gives what was counted and begins anew.
func (f *failures) take() map[string]*failed {
	f.mu.Lock()
	defer f.mu.Unlock()
	by := f.by
	f.by = nil
	return by
}

// back puts what could not be written to what was counted meanwhile.
func (f *failures) back(by map[string]*failed) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, x := range f.by {
		if old := by[id]; old != nil {
			old.n, old.codes, old.last = old.n+x.n, old.codes+x.codes, x.last
			old.from(x.addresses...)
			continue
		}
		by[id] = x
	}
	f.by = by
}

// NoteFailures writes an entry for each account at which a sign-in failed since
// the last call, with how often and from where, and one for all logins that there
// are not. Nothing is lost where it fails: the next call writes it.
func (s *Service) NoteFailures(ctx context.Context) error {
	by := s.failures.take()
	if len(by) == 0 {
		return nil
	}
	err := s.db.Tx(ctx, func(tx *db.Tx) error {
		for id, x := range by {
			ctx := audit.WithAddress(ctx, strings.Join(x.addresses, " "))
			if err := s.note(ctx, tx, "account.sign_in_failed", id, "n", x.n, "codes", x.codes, "addresses", len(x.addresses), "first", x.first.UTC(), "last", x.last.UTC()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		s.failures.back(by)
	}
	return err
}
