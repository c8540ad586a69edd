package notify

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"database/sql"
	"fmt"
	"math/big"
	"net/mail"
	"strings"
	"time"

	"github.com/google/uuid"

	"plateau/internal/platform/audit"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/i18n"
	"plateau/internal/platform/outbound"
)

// Address is where somebody is reached over a channel. It is personal: nobody
// else is shown it.
type Address struct {
	Channel   Channel
	Address   string
	Confirmed time.Time // zero = its owner has not proved to get what is sent there
	CodeOpen  bool      // a code was sent and is still good

	secret    outbound.Secret
	code      string
	codeUntil time.Time
	tries     int
}

// Of codes that confirm an address.
const (
	codeLife  = 30 * time.Minute
	codeTries = 5
	codeMost  = 5 // in an hour for an account, so that nobody floods somebody else
)

func loadAddresses(ctx context.Context, q db.Querier, userID string) (out []Address, err error) {
	rows, err := q.Query(ctx, `SELECT channel, address, secret, code, code_until, code_tries, confirmed_at FROM notify_addresses WHERE user_id = $1`, userID)
	if err != nil {
		return nil, fmt.Errorf("read addresses: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var a Address
		var until, confirmed sql.NullInt64
		if err := rows.Scan(&a.Channel, &a.Address, &a.secret, &a.code, &until, &a.tries, &confirmed); err != nil {
			return nil, fmt.Errorf("read addresses: %w", err)
		}
		a.codeUntil, a.Confirmed = db.TimeOrZero(until), db.TimeOrZero(confirmed)
		out = append(out, a)
	}
	return out, rows.Err()
}

func loadAddress(ctx context.Context, q db.Querier, userID string, c Channel) (Address, error) {
	all, err := loadAddresses(ctx, q, userID)
	if err != nil {
		return Address{}, err
	}
	for i := range all {
		if all[i].Channel == c {
			return all[i], nil
		}
	}
	return Address{}, errs.New(errs.NotFound, "err.not_found")
}

// Addresses returns where an account is reached.
func (s *Service) Addresses(ctx context.Context, userID string) (map[Channel]Address, error) {
	all, err := loadAddresses(ctx, s.o.DB, userID)
	if err != nil {
		return nil, err
	}
	out := map[Channel]Address{}
	now := s.o.Now()
	for _, a := range all {
		a.CodeOpen = a.code != "" && now.Before(a.codeUntil)
		out[a.Channel] = a
	}
	return out, nil
}

// SetAddress takes an address of who asks for a channel, in place of the one
// before, and sends a code there; nothing else goes there until Confirm has it
// back. secret signs what a webhook gets and is shown this once; "" for other
// channels. Errors: errs.Invalid about "address", errs.Busy after too many codes.
func (s *Service) SetAddress(ctx context.Context, by auth.Principal, c Channel, address string) (secret outbound.Secret, err error) {
	if s.o.Senders[c] == nil {
		return "", errs.New(errs.NotFound, "err.not_found")
	}
	address, key := s.checkAddress(c, address)
	if key != "" {
		return "", errs.InvalidField("address", key)
	}
	if c == Webhook {
		secret = outbound.NewSecret()
	}
	return secret, s.o.DB.Tx(ctx, func(tx *db.Tx) error {
		now := s.o.Now()
		if err := s.enoughCodes(ctx, tx, by.ID, now); err != nil {
			return err
		}
		if err := s.forget(ctx, tx, by.ID, c); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `INSERT INTO notify_addresses (user_id, channel, address, secret, code, code_until, code_tries, confirmed_at) VALUES ($1, $2, $3, $4, $5, $6, 0, NULL)`,
			by.ID, string(c), address, string(secret), newCode(), db.Micros(now.Add(codeLife))); err != nil {
			return err
		}
		id := uuid.Must(uuid.NewV7()).String()
		if err := s.open(ctx, tx, delivery{ID: id, User: by.ID, Channel: c, batch: purposeCode + " " + id, Purpose: purposeCode, Created: now, Due: now}); err != nil {
			return err
		}
		return s.note(ctx, tx, by, "address.set", string(c))
	})
}

// enoughCodes is errs.Busy when an account had too many codes sent.
func (s *Service) enoughCodes(ctx context.Context, tx *db.Tx, userID string, now time.Time) error {
	var n int
	err := tx.QueryRow(ctx, `SELECT count(*) FROM notify_deliveries WHERE user_id = $1 AND purpose = 'code' AND created_at > $2 AND created_at <= $3`,
		userID, db.Micros(now.Add(-time.Hour)), db.Micros(now)).Scan(&n)
	if err != nil {
		return err
	}
	if n >= codeMost {
		return errs.New(errs.Busy, "err.notify.codes")
	}
	return nil
}

// forget erases an address; what waits for it is not sent any more.
func (s *Service) forget(ctx context.Context, tx *db.Tx, userID string, c Channel) error {
	if _, err := tx.Exec(ctx, `DELETE FROM notify_addresses WHERE user_id = $1 AND channel = $2`, userID, string(c)); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `UPDATE notify_deliveries SET state = 'failed', lease = '', ended_at = $3, fault = 'the address was taken back' WHERE user_id = $1 AND channel = $2 AND state = 'waiting'`,
		userID, string(c), db.Micros(s.o.Now()))
	return err
}

// Confirm takes the code that was sent to an address. A wrong one is errs.Invalid
// about "code"; after some, or too late, only a new code helps.
func (s *Service) Confirm(ctx context.Context, by auth.Principal, c Channel, code string) error {
	code = strings.ReplaceAll(strings.TrimSpace(i18n.Digits(code)), " ", "")
	var refusal error
	err := s.o.DB.Tx(ctx, func(tx *db.Tx) error {
		a, err := loadAddress(ctx, tx, by.ID, c)
		if err != nil {
			return err
		}
		now := s.o.Now()
		switch {
		case a.code == "" || !now.Before(a.codeUntil) || a.tries >= codeTries:
			refusal = errs.InvalidField("code", "err.notify.code_over")
			return nil
		case subtle.ConstantTimeCompare([]byte(a.code), []byte(code)) != 1:
			refusal = errs.InvalidField("code", "err.notify.code")
			_, err := tx.Exec(ctx, `UPDATE notify_addresses SET code_tries = code_tries + 1 WHERE user_id = $1 AND channel = $2`, by.ID, string(c))
			return err // the count stays
		}
		if _, err := tx.Exec(ctx, `UPDATE notify_addresses SET confirmed_at = $3, code = '', code_until = NULL WHERE user_id = $1 AND channel = $2`, by.ID, string(c), db.Micros(now)); err != nil {
			return err
		}
		return s.note(ctx, tx, by, "address.confirm", string(c))
	})
	if err != nil {
		return err
	}
	return refusal
}

// RemoveAddress erases an address of who asks.
func (s *Service) RemoveAddress(ctx context.Context, by auth.Principal, c Channel) error {
	return s.o.DB.Tx(ctx, func(tx *db.Tx) error {
		if err := s.forget(ctx, tx, by.ID, c); err != nil {
			return err
		}
		return s.note(ctx, tx, by, "address.remove", string(c))
	})
}

// note writes the act of somebody about their own settings down, without the
// address.
func (s *Service) note(ctx context.Context, tx *db.Tx, by auth.Principal, act, channel string) error {
	e := by.Entry(s.o.Now(), "platform", "notify."+act, "account", by.ID)
	e.Subjects = []string{by.ID}
	if channel != "" {
		e.Detail = `{"channel":"` + channel + `"}`
	}
	return audit.Append(ctx, tx, e)
}

func newCode() string {
	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil {
		panic(err) // never fails (crypto/rand)
	}
	return fmt.Sprintf("%06d", n)
}

// checkAddress returns an address as it is kept, or the key of what is wrong.
func (s *Service) checkAddress(c Channel, text string) (address, key string) {
	text = strings.TrimSpace(text)
	switch c {
	case Mail:
		if !ValidMail(text) {
			return "", "err.notify.mail"
		}
	case SMS:
		text = strings.NewReplacer(" ", "", "-", "", "(", "", ")", "").Replace(i18n.Digits(text))
		if !validPhone(text) {
			return "", "err.notify.phone"
		}
	case Webhook:
		if key := outbound.CheckURL(text, s.o.Private); key != "" {
			return "", key
		}
	default:
		return "", "err.not_found"
	}
	return text, ""
}

// ValidMail reports whether text is one plain mail address in ASCII: no name, no
// list, nothing that a header would take for more.
func ValidMail(text string) bool {
	a, err := mail.ParseAddress(text)
	if err != nil || a.Address != text || len(text) > 254 {
		return false
	}
	local, domain, _ := strings.Cut(text, "@")
	for _, r := range text {
		if r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),:;<>[\]`, r) {
			return false
		}
	}
	return len(local) <= 64 && strings.Contains(domain, ".") && !strings.Contains(domain, "@")
}

func validPhone(text string) bool {
	digits := strings.TrimPrefix(text, "+")
	return len(digits) >= 5 && len(digits) <= 15 && strings.Trim(digits, "0123456789") == ""
}
