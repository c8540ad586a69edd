package auth

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"database/sql"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"

	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
)

// KeyFile is the file in the data folder with the key that secrets in the
// database are encrypted by.
const KeyFile = "secret.key"

// Sealer encrypts what the database keeps and the program must read again.
type Sealer struct{ aead cipher.AEAD }

// OpenSealer reads the key of a file, which is made, readable by its owner only,
// where it is missing.
func OpenSealer(path string) (*Sealer, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		key := randomKey()
		if err := writeSecret(path, base64.StdEncoding.EncodeToString(key)+"\n"); err != nil {
			return nil, fmt.Errorf("write the key of second factors: %w", err)
		}
		return newSealer(key), nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the key of second factors: %w", err)
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != keySize {
		return nil, fmt.Errorf("%s holds no key; restore it from a backup, or remove it: then second factors have to be set up anew", path)
	}
	return newSealer(key), nil
}

const keySize = 32 // AES-256

func randomKey() []byte {
	key := make([]byte, keySize)
	_, _ = rand.Read(key) // never fails (crypto/rand)
	return key
}

func newSealer(key []byte) *Sealer {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // the key has keySize bytes
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err) // the block is AES
	}
	return &Sealer{aead}
}

// Seal encrypts text for one owner: a row that is copied to another one's is not
// read there.
func (s *Sealer) Seal(text, owner string) string {
	return base64.StdEncoding.EncodeToString(s.aead.Seal(nil, nil, []byte(text), []byte(owner))) //nolint:gosec // the cipher makes a random nonce itself
}

// Open reads what Seal made for the same owner.
func (s *Sealer) Open(sealed, owner string) (string, error) {
	raw, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil {
		return "", err
	}
	text, err := s.aead.Open(nil, nil, raw, []byte(owner))
	if err != nil {
		return "", fmt.Errorf("a secret does not fit the key in %s: %w", KeyFile, err)
	}
	return string(text), nil
}

// Parameters of RFC 6238 that all authenticators take.
const (
	codePeriod = 30 * time.Second
	codeDigits = otp.DigitsSix
	// codeSkew is how many steps a clock may be off, before and behind.
	codeSkew = 1
	// recoveryCodes is how many are given.
	recoveryCodes = 10
)

// Factor is the second factor of an account.
type Factor struct {
	Since     time.Time // zero = there is none
	Remaining int       // recovery codes that were not used
	Passkeys  int
}

// On reports whether the account has codes of a device.
func (f Factor) On() bool { return !f.Since.IsZero() }

// Needed reports whether signing in takes a second step after the password.
func (f Factor) Needed() bool { return f.On() || f.Passkeys > 0 }

// Factor returns the second factor of an account.
func (s *Service) Factor(ctx context.Context, userID string) (f Factor, err error) {
	var since sql.NullInt64
	err = s.db.QueryRow(ctx, `SELECT (SELECT f.confirmed_at FROM second_factors f WHERE f.user_id = $1), (SELECT count(*) FROM recovery_codes c WHERE c.user_id = $1 AND c.used_at IS NULL),
		(SELECT count(*) FROM passkeys k WHERE k.user_id = $1)`, userID).Scan(&since, &f.Remaining, &f.Passkeys)
	if err != nil {
		return Factor{}, fmt.Errorf("find second factor: %w", err)
	}
	f.Since = db.TimeOrZero(since)
	return f, nil
}

// settled is p, or where its kind needs a second factor that the account lacks, what
// is left of it until there is one.
func (s *Service) settled(ctx context.Context, p Principal) (Principal, error) {
	if !slices.Contains(s.demand, p.Role) {
		return p, nil
	}
	f, err := s.Factor(ctx, p.ID)
	if err != nil || f.Needed() {
		return p, err
	}
	p = p.bare()
	p.Unsettled = true
	return p, nil
}

// BeginFactor makes the secret of a second factor that is not in force before
// ConfirmFactor; errs.Conflict when one is in force.
func (s *Service) BeginFactor(ctx context.Context, userID string) error {
	raw := make([]byte, 20) // as long as the hash, RFC 4226 section 4
	_, _ = rand.Read(raw)
	sealed := s.sealer.Seal(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(raw), userID)
	return s.db.Tx(ctx, func(tx *db.Tx) error {
		err := one(tx.Exec(ctx, `INSERT INTO second_factors (user_id, secret, created_at, confirmed_at, last_step) VALUES ($1, $2, $3, NULL, 0)
			ON CONFLICT (user_id) DO UPDATE SET secret = excluded.secret, created_at = excluded.created_at, last_step = 0 WHERE second_factors.confirmed_at IS NULL`,
			userID, sealed, db.Micros(s.now())))
		if errs.Is(err, errs.NotFound) {
			return errs.New(errs.Conflict, "err.auth.factor_on")
		}
		if err != nil {
			return fmt.Errorf("begin second factor: %w", err)
		}
		return s.note(ctx, tx, "account.factor_begin", userID)
	})
}

// PendingFactor returns the secret that BeginFactor made, in base32; it is
// errs.NotFound when none waits to be confirmed.
func (s *Service) PendingFactor(ctx context.Context, userID string) (secret string, err error) {
	var sealed string
	err = db.NotFound(s.db.QueryRow(ctx, `SELECT f.secret FROM second_factors f WHERE f.user_id = $1 AND f.confirmed_at IS NULL`, userID).Scan(&sealed))
	if err != nil {
		return "", err
	}
	return s.sealer.Open(sealed, userID)
}

// factorHolders are the accounts with a second factor in force.
func (s *Service) factorHolders(ctx context.Context) (map[string]bool, error) {
	rows, err := s.db.Query(ctx, `SELECT f.user_id FROM second_factors f WHERE f.confirmed_at IS NOT NULL UNION SELECT k.user_id FROM passkeys k`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[string]bool{}
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		out[id] = true
	}
	return out, rows.Err()
}

// FactorURI is what the picture for an authenticator holds.
func FactorURI(secret, login string) (string, error) {
	raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(secret)
	if err != nil {
		return "", err
	}
	key, err := totp.Generate(totp.GenerateOpts{Issuer: "Plateau", AccountName: login, Secret: raw, Digits: codeDigits, Period: uint(codePeriod.Seconds())})
	if err != nil {
		return "", err
	}
	return key.URL(), nil
}

// ConfirmFactor puts the second factor in force by a code that it gave, and
// returns the recovery codes; only their hashes are kept. The session goes on
// with another secret, the others of the account end. A wrong code is
// errs.Invalid about "code".
func (s *Service) ConfirmFactor(ctx context.Context, p Principal, session Session, code string, from Client) (cookie string, codes []string, err error) {
	if err := s.takeCode(ctx, p, code, false, from); err != nil {
		return "", nil, err
	}
	err = s.db.Tx(ctx, func(tx *db.Tx) error {
		if err := one(tx.Exec(ctx, `UPDATE second_factors SET confirmed_at = $2 WHERE user_id = $1 AND confirmed_at IS NULL`, p.ID, db.Micros(s.now()))); err != nil {
			return err
		}
		if codes, err = s.giveCodes(ctx, tx, p.ID); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM sessions WHERE user_id = $1 AND id <> $2`, p.ID, session.ID); err != nil {
			return err
		}
		if cookie, err = s.renew(ctx, tx, session); err != nil {
			return err
		}
		return s.note(With(ctx, p), tx, "account.factor_confirm", p.ID, "codes", len(codes))
	})
	return cookie, codes, err
}

// NewRecoveryCodes replaces the recovery codes of an account.
func (s *Service) NewRecoveryCodes(ctx context.Context, userID string) (codes []string, err error) {
	err = s.db.Tx(ctx, func(tx *db.Tx) error {
		if codes, err = s.giveCodes(ctx, tx, userID); err != nil {
			return err
		}
		return s.note(ctx, tx, "account.codes", userID, "n", len(codes))
	})
	return codes, err
}

// giveCodes replaces the recovery codes. Each has 80 random bits, so its hash
// needs neither salt nor time.
func (s *Service) giveCodes(ctx context.Context, tx *db.Tx, userID string) (codes []string, err error) {
	if _, err := tx.Exec(ctx, `DELETE FROM recovery_codes WHERE user_id = $1`, userID); err != nil {
		return nil, err
	}
	for range recoveryCodes {
		text := strings.ToLower(rand.Text()[:16])
		if _, err := tx.Exec(ctx, `INSERT INTO recovery_codes (user_id, hash, used_at) VALUES ($1, $2, NULL)`, userID, hashSecret(text)); err != nil {
			return nil, err
		}
		codes = append(codes, text[:4]+"-"+text[4:8]+"-"+text[8:12]+"-"+text[12:])
	}
	return codes, nil
}

// RemoveFactor takes the codes of a device away, and the recovery codes where no
// passkey is left; errs.NotFound when there were none.
func (s *Service) RemoveFactor(ctx context.Context, userID string) error {
	return s.db.Tx(ctx, func(tx *db.Tx) error {
		if _, err := tx.Exec(ctx, `DELETE FROM recovery_codes WHERE user_id = $1 AND NOT EXISTS (SELECT 1 FROM passkeys k WHERE k.user_id = $1)`, userID); err != nil {
			return err
		}
		if err := one(tx.Exec(ctx, `DELETE FROM second_factors WHERE user_id = $1`, userID)); err != nil {
			return err
		}
		return s.note(ctx, tx, "account.factor_remove", userID)
	})
}

// codeKeys are what a try of an account's code is counted for.
func codeKeys(userID, address string) []limitKey {
	return append(passwordKeys("code of "+userID, address), limitKey{"codes", userID, ""})
}

// takeCode spends a code of an account's second factor, or, where inForce, one
// of its recovery codes. A wrong or used one is errs.Invalid about "code", too
// many tries are errs.Busy.
func (s *Service) takeCode(ctx context.Context, p Principal, code string, inForce bool, from Client) error {
	keys := codeKeys(p.ID, from.Address)
	if wait, ok := s.limit.take(keys); !ok {
		return errs.New(errs.Busy, "err.auth.too_many", "n", int(wait.Minutes())+1)
	}
	code = strings.ToLower(strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' {
			return -1
		}
		return r
	}, fold(code)))
	var err error
	if inForce && len(code) == 16 {
		err = s.takeRecovery(ctx, p, code)
	} else {
		err = s.takeTOTP(ctx, p.ID, code, inForce)
	}
	if errs.Is(err, errs.NotFound) {
		s.failures.add(p.ID, from.Address, true, s.now())
		return errs.InvalidField("code", "err.auth.code")
	}
	if err == nil {
		s.limit.right(keys)
	}
	return err
}

// takeRecovery spends a recovery code; errs.NotFound when it is wrong or was used.
func (s *Service) takeRecovery(ctx context.Context, p Principal, code string) error {
	return s.db.Tx(ctx, func(tx *db.Tx) error {
		if err := one(tx.Exec(ctx, `UPDATE recovery_codes SET used_at = $3 WHERE user_id = $1 AND hash = $2 AND used_at IS NULL`, p.ID, hashSecret(code), db.Micros(s.now()))); err != nil {
			return err
		}
		return s.note(With(ctx, p), tx, "account.code_used", p.ID)
	})
}

// takeTOTP spends a code of RFC 6238; errs.NotFound when it is wrong, or its step
// or a later one was spent (section 5.2).
func (s *Service) takeTOTP(ctx context.Context, userID, code string, inForce bool) error {
	var sealed string
	var confirmed bool
	err := db.NotFound(s.db.QueryRow(ctx, `SELECT f.secret, f.confirmed_at IS NOT NULL FROM second_factors f WHERE f.user_id = $1`, userID).Scan(&sealed, &confirmed))
	if err != nil {
		return err
	}
	key, err := s.sealer.Open(sealed, userID)
	if err != nil {
		return err
	}
	now, opts := s.now(), totp.ValidateOpts{Period: uint(codePeriod.Seconds()), Digits: codeDigits}
	for off := -codeSkew; off <= codeSkew; off++ {
		at := now.Add(time.Duration(off) * codePeriod)
		right, err := totp.ValidateCustom(code, key, at, opts)
		if err != nil && !errors.Is(err, otp.ErrValidateInputInvalidLength) {
			return fmt.Errorf("check code: %w", err)
		}
		if right && confirmed == inForce {
			// One statement: of two that come with the same code, one gets it.
			return one(s.db.Exec(ctx, `UPDATE second_factors SET last_step = $2 WHERE user_id = $1 AND last_step < $2`, userID, at.Unix()/int64(codePeriod.Seconds())))
		}
	}
	return errs.New(errs.NotFound, "err.auth.code")
}
