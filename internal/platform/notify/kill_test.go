package notify_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"plateau/internal/platform/access"
	"plateau/internal/platform/db"
	"plateau/internal/platform/i18n"
	"plateau/internal/platform/notify"
	"plateau/internal/testkit"
)

// Where the victim of TestKill finds database and mail server.
const (
	victimURL  = "PLATEAU_TEST_NOTIFY_URL"
	victimMail = "PLATEAU_TEST_NOTIFY_MAIL"
)

// leaseOfVictim is short, so that what a killed program held is tried soon.
const leaseOfVictim = 1500 * time.Millisecond

func optionsOf(base *db.DB, address string) (notify.Options, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return notify.Options{}, err
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return notify.Options{}, err
	}
	mailer, err := notify.NewMailer(notify.SMTPOptions{Host: host, Port: n, TLS: notify.TLSNone, From: "plateau@example.org", Timeout: 500 * time.Millisecond})
	return notify.Options{
		DB: base, Kinds: kinds, Accounts: people, Areas: func() access.Areas { return tree{} }, Now: time.Now, BaseURL: "https://example.org", Collect: 20 * time.Millisecond,
		Poll: 5 * time.Millisecond, First: 10 * time.Millisecond, Lease: leaseOfVictim, Workers: 3, Senders: map[notify.Channel]notify.Sender{notify.Mail: mailer},
	}, err
}

// victim acts and tells of it in the same transaction, and delivers, until it is
// killed.
func victim(url, address string) error {
	ctx := context.Background()
	base, err := db.Open(ctx, url)
	if err != nil {
		return err
	}
	o, err := optionsOf(base, address)
	if err != nil {
		return err
	}
	s, err := notify.New(o)
	if err != nil {
		return err
	}
	go func() { _ = s.Run(ctx) }()
	var n int
	if err := base.QueryRow(ctx, `SELECT count(*) FROM counters WHERE name LIKE 'act-%'`).Scan(&n); err != nil {
		return err
	}
	for ; ; n++ {
		err := base.Tx(ctx, func(tx *db.Tx) error {
			if _, err := tx.Exec(ctx, `INSERT INTO counters (name, value) VALUES ($1, 1)`, "act-"+strconv.Itoa(n)); err != nil {
				return err
			}
			return s.Tell(ctx, tx, []notify.Message{message("act-" + strconv.Itoa(n))})
		})
		if err != nil {
			return err
		}
		time.Sleep(time.Millisecond)
	}
}

// TestKill kills a program that acts, tells and delivers, at random and exactly
// when the mail server has taken a mail and has not yet said so. Each act is told
// once on the page and by mail, none is told that did not happen, and a mail that
// comes again is the same one.
func TestKill(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, url string) {
		t.Helper()
		s := newMailServer(t, false)
		r := newRig(t, url, nil)
		r.at = time.Now()
		var err error
		if r.o, err = optionsOf(r.db, s.addr); err != nil {
			t.Fatal(err)
		}
		r.restart()
		p := r.account("in", "officer", "")
		r.confirmed(p, notify.Mail, "in@example.org", notify.Now)
		var between atomic.Int64
		rounds := 8
		if testkit.Race { // a watched program starts ten times as slowly
			rounds = 4
		}
		for round := range rounds {
			cmd := exec.CommandContext(t.Context(), os.Args[0])
			cmd.Env = append(os.Environ(), victimURL+"="+url, victimMail+"="+s.addr)
			cmd.Stderr = os.Stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			s.mu.Lock()
			if round%2 == 0 { // kill it when some mails were taken
				left := 3 + round
				s.data = func(int, letter, *smtp.Conn) error {
					s.mu.Lock()
					defer s.mu.Unlock()
					if left--; left == 0 {
						_ = cmd.Process.Kill()
						between.Add(1)
						time.Sleep(20 * time.Millisecond) // it is dead before the answer goes
					}
					return nil
				}
			} else {
				s.data = nil
			}
			before := len(s.letters)
			s.mu.Unlock()
			if round%2 == 1 {
				for i := 0; i < 2000 && len(s.got()) < before+5; i++ {
					time.Sleep(5 * time.Millisecond)
				}
				time.Sleep(time.Duration(round) * 7 * time.Millisecond)
				_ = cmd.Process.Kill()
			}
			_ = cmd.Wait()
		}
		s.mu.Lock()
		s.data = nil
		s.mu.Unlock()
		r.run(func() bool { return r.states()[notify.Waiting] == 0 })

		var acts int
		if err := r.db.QueryRow(t.Context(), `SELECT count(*) FROM counters WHERE name LIKE 'act-%'`).Scan(&acts); err != nil {
			t.Fatal(err)
		}
		list, n, err := r.Inbox(t.Context(), p.ID, i18n.Zh, notify.Filter{Limit: acts + 100})
		if err != nil || n != acts || acts == 0 {
			t.Fatalf("%d acts, %d notifications, %v", acts, n, err)
		}
		told := map[string]int{}
		for i := range list {
			told[list[i].Path]++
		}
		link := regexp.MustCompile(`https://example\.org/zh(/alarms/act-\d+)\b`)
		first, mailed, repeats := map[string]letter{}, map[string]string{}, 0
		for _, l := range s.got() {
			if was, ok := first[l.id]; ok {
				repeats++
				if was.raw != l.raw {
					t.Errorf("%s came again as another mail", l.id)
				}
				continue
			}
			first[l.id] = l
			for _, m := range link.FindAllStringSubmatch(decoded(t, &l), -1) {
				if id := mailed[m[1]]; id != "" && id != l.id {
					t.Errorf("%s stands in two mails", m[1])
				}
				mailed[m[1]] = l.id
			}
		}
		for i := range acts {
			path := fmt.Sprint("/alarms/act-", i)
			if told[path] != 1 || mailed[path] == "" {
				t.Errorf("%s: %d times on the page, in mail %q", path, told[path], mailed[path])
			}
		}
		if s := r.states(); s[notify.Sent] != len(first) || len(s) != 1 {
			t.Errorf("%v for %d mails", s, len(first))
		}
		if want := rounds / 2; between.Load() != int64(want) || repeats < want {
			t.Errorf("%d kills between sending and noting, %d repeats", between.Load(), repeats)
		}
		t.Logf("%d acts, %d mails, %d of them came again", acts, len(first), repeats)
	})
}
