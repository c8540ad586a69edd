package auth

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
	"github.com/google/uuid"

	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
)

// maxPasskeys bounds what one account registers.
const maxPasskeys = 20

// maxPasskeyLabel is how many characters of a passkey's name are kept.
const maxPasskeyLabel = 80

// Passkey is a key pair in a device of a person; the private half never leaves it.
type Passkey struct {
	ID      string
	Host    string // name of the host that it was made for
	Label   string // as its owner named it
	Created time.Time
	Used    time.Time // zero = never
	Blocked time.Time // when its count went backwards, as that of a copy does; zero = good

	credential webauthn.Credential
	userID     string
}

// RelyingParty is the name under which passkeys are made and asked for, and the
// one origin of pages that may do so.
type RelyingParty struct{ ID, Origin string }

// RelyingParty returns the one for a request: that of the address which the
// installation tells, else that of localhost. The error says why there is none;
// its key is err.passkey.*.
func (s *Service) RelyingParty(r *http.Request) (RelyingParty, error) {
	if s.url != "" {
		u, err := url.Parse(s.url)
		if err != nil {
			return RelyingParty{}, err
		}
		switch {
		case protocol.ValidateRPID(u.Hostname()) != nil:
			return RelyingParty{}, errs.New(errs.Conflict, "err.passkey.address", "host", u.Hostname())
		case u.Scheme != "https" && u.Hostname() != localhost:
			return RelyingParty{}, errs.New(errs.Conflict, "err.passkey.plain", "url", s.url)
		}
		return RelyingParty{u.Hostname(), u.Scheme + "://" + u.Host}, nil
	}
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	switch {
	case host == localhost:
		scheme := "http"
		if r.TLS != nil {
			scheme = "https"
		}
		return RelyingParty{host, scheme + "://" + r.Host}, nil
	case net.ParseIP(strings.Trim(host, "[]")) != nil:
		return RelyingParty{}, errs.New(errs.Conflict, "err.passkey.address", "host", host)
	}
	// A name that only the request tells could be anybody's.
	return RelyingParty{}, errs.New(errs.Conflict, "err.passkey.unset", "host", host)
}

const localhost = "localhost"

func (rp RelyingParty) library() (*webauthn.WebAuthn, error) {
	return webauthn.New(&webauthn.Config{
		RPID: rp.ID, RPDisplayName: "Plateau", RPOrigins: []string{rp.Origin},
		AttestationPreference: protocol.PreferNoAttestation, // nobody is told what to buy
		// Each passkey stands alone: it is found without a login, and the device
		// makes sure who holds it.
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			RequireResidentKey: protocol.ResidentKeyRequired(), ResidentKey: protocol.ResidentKeyRequirementRequired, UserVerification: protocol.VerificationRequired,
		},
	})
}

// keyholder is an account as the library wants it.
type keyholder struct {
	id, login, post string
	keys            []webauthn.Credential
}

func (k *keyholder) WebAuthnID() []byte                         { return []byte(k.id) }
func (k *keyholder) WebAuthnName() string                       { return k.login }
func (k *keyholder) WebAuthnDisplayName() string                { return k.post }
func (k *keyholder) WebAuthnCredentials() []webauthn.Credential { return k.keys }

// What a device is asked for.
const (
	toRegister = "register"
	toSignIn   = "sign in"
	toStep     = "second step"
	toProve    = "prove"
)

// Ceremony is a question to a device.
type Ceremony struct {
	Options string // JSON for navigator.credentials: publicKey, with base64url for bytes
	Waiting string // to be handed back with the answer; good for five minutes and for once
	Origin  string // of the pages where the device answers
}

// question is what Waiting holds, encrypted: asking takes no memory, so that
// nobody can crowd out the questions of others.
type question struct {
	To      string
	Who     string // account, session or step that it was asked for; "" = whoever it will be
	Until   time.Time
	Session webauthn.SessionData
}

// ceremonies encrypts questions, and remembers those that were answered.
type ceremonies struct {
	sealer *Sealer // of this process
	mu     sync.Mutex
	spent  map[string]time.Time // challenge → until when it would be good
}

func (c *ceremonies) seal(q *question) (string, error) {
	text, err := json.Marshal(q)
	if err != nil {
		return "", err
	}
	return c.sealer.Seal(string(text), q.To), nil
}

func (c *ceremonies) open(to, who, waiting string, now time.Time) (q question, ok bool) {
	text, err := c.sealer.Open(waiting, to)
	if err != nil || json.Unmarshal([]byte(text), &q) != nil {
		return question{}, false
	}
	return q, q.To == to && q.Who == who && now.Before(q.Until)
}

// spend reports whether a question has not been answered before; each is once.
func (c *ceremonies) spend(q *question, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for k, until := range c.spent {
		if !now.Before(until) {
			delete(c.spent, k)
		}
	}
	if _, ok := c.spent[q.Session.Challenge]; ok {
		return false
	}
	if c.spent == nil {
		c.spent = map[string]time.Time{}
	}
	c.spent[q.Session.Challenge] = q.Until
	return true
}

const passkeyColumns = `k.id, k.credential, k.user_id, k.rp_id, k.label, k.public_key, k.transports, k.sign_count, k.backup, k.created_at, k.used_at, k.blocked_at` //nolint:gosec // names of columns

func (s *Service) passkeys(ctx context.Context, where, value string) ([]Passkey, error) {
	rows, err := s.db.Query(ctx, `SELECT `+passkeyColumns+` FROM passkeys k WHERE `+where+` ORDER BY k.created_at, k.id`, value)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []Passkey
	for rows.Next() {
		var k Passkey
		var credential, public, transports string
		var count, backup, created int64
		var used, blocked sql.NullInt64
		if err := rows.Scan(&k.ID, &credential, &k.userID, &k.Host, &k.Label, &public, &transports, &count, &backup, &created, &used, &blocked); err != nil {
			return nil, err
		}
		k.Created, k.Used, k.Blocked = db.Time(created), db.TimeOrZero(used), db.TimeOrZero(blocked)
		c := &k.credential
		if c.ID, err = base64.RawURLEncoding.DecodeString(credential); err != nil {
			return nil, fmt.Errorf("passkey %s: %w", k.ID, err)
		}
		if c.PublicKey, err = base64.StdEncoding.DecodeString(public); err != nil {
			return nil, fmt.Errorf("passkey %s: %w", k.ID, err)
		}
		for t := range strings.FieldsSeq(transports) {
			c.Transport = append(c.Transport, protocol.AuthenticatorTransport(t))
		}
		c.Authenticator.SignCount = uint32(count)
		c.Flags.BackupEligible = backup != 0
		all = append(all, k)
	}
	return all, rows.Err()
}

// Passkeys returns those of an account, the oldest first.
func (s *Service) Passkeys(ctx context.Context, userID string) ([]Passkey, error) {
	return s.passkeys(ctx, `k.user_id = $1`, userID)
}

// good are the passkeys of a host that may be used.
func good(all []Passkey, rp RelyingParty) (keys []webauthn.Credential) {
	for _, k := range all {
		if k.Host == rp.ID && k.Blocked.IsZero() {
			keys = append(keys, k.credential)
		}
	}
	return keys
}

func (s *Service) ask(to, who string, rp RelyingParty, options any, session *webauthn.SessionData) (Ceremony, error) {
	waiting, err := s.ceremonies.seal(&question{To: to, Who: who, Until: s.now().Add(stepLife), Session: *session})
	if err != nil {
		return Ceremony{}, err
	}
	text, err := json.Marshal(options)
	return Ceremony{Options: string(text), Waiting: waiting, Origin: rp.Origin}, err
}

// AskNewPasskey asks a device of who is signed in for a new passkey;
// errs.Conflict when the account has as many as it may have.
func (s *Service) AskNewPasskey(ctx context.Context, rp RelyingParty, p Principal, session Session) (Ceremony, error) {
	lib, err := rp.library()
	if err != nil {
		return Ceremony{}, err
	}
	all, err := s.Passkeys(ctx, p.ID)
	if err != nil {
		return Ceremony{}, err
	}
	if len(all) >= maxPasskeys {
		return Ceremony{}, errs.New(errs.Conflict, "err.passkey.many", "n", maxPasskeys)
	}
	// A device that has one of them already says so.
	known := webauthn.Credentials(good(all, rp)).CredentialDescriptors()
	creation, data, err := lib.BeginRegistration(&keyholder{id: p.ID, login: p.Login, post: p.Post.Zh}, webauthn.WithExclusions(known))
	if err != nil {
		return Ceremony{}, err
	}
	return s.ask(toRegister, session.ID, rp, creation.Response, data)
}

// AddPasskey registers the passkey that a device answered with. Where it is the
// first second factor of the account, the other sessions end and recovery codes
// are returned; only their hashes are kept. The session goes on with another
// secret. An answer that is not taken is errs.Invalid about "passkey".
func (s *Service) AddPasskey(ctx context.Context, rp RelyingParty, p Principal, session Session, waiting, answer, label string) (cookie string, codes []string, err error) {
	lib, err := rp.library()
	if err != nil {
		return "", nil, err
	}
	q, ok := s.ceremonies.open(toRegister, session.ID, waiting, s.now())
	if !ok {
		return "", nil, errs.InvalidField("passkey", "err.passkey.over")
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes([]byte(answer))
	if err != nil {
		return "", nil, notTaken(answer, err)
	}
	made, err := lib.CreateCredential(&keyholder{id: p.ID}, q.Session, parsed)
	if err != nil {
		return "", nil, notTaken(answer, err)
	}
	if !s.ceremonies.spend(&q, s.now()) {
		return "", nil, errs.InvalidField("passkey", "err.passkey.over")
	}
	before, err := s.Factor(ctx, p.ID)
	if err != nil {
		return "", nil, err
	}
	if runes := []rune(strings.TrimSpace(label)); len(runes) > maxPasskeyLabel {
		label = string(runes[:maxPasskeyLabel])
	}
	var transports []string
	for _, t := range made.Transport {
		transports = append(transports, string(t))
	}
	id := uuid.Must(uuid.NewV7()).String()
	err = s.db.Tx(ctx, func(tx *db.Tx) error {
		if _, err := tx.Exec(ctx, `INSERT INTO passkeys (id, credential, user_id, rp_id, label, public_key, transports, sign_count, backup, created_at, used_at, blocked_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, NULL, NULL)`, id, base64.RawURLEncoding.EncodeToString(made.ID), p.ID, rp.ID, strings.TrimSpace(label),
			base64.StdEncoding.EncodeToString(made.PublicKey), strings.Join(transports, " "), int64(made.Authenticator.SignCount), db.Bool(made.Flags.BackupEligible), db.Micros(s.now())); err != nil {
			return err
		}
		if !before.Needed() {
			if codes, err = s.giveCodes(ctx, tx, p.ID); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, `DELETE FROM sessions WHERE user_id = $1 AND id <> $2`, p.ID, session.ID); err != nil {
				return err
			}
		}
		if cookie, err = s.renew(ctx, tx, session); err != nil {
			return err
		}
		return s.note(With(ctx, p), tx, "account.passkey_add", p.ID, "passkey", id, "host", rp.ID)
	})
	if errs.Is(err, errs.Conflict) { // somebody registered this very passkey before
		return "", nil, errs.InvalidField("passkey", "err.passkey.wrong")
	}
	return cookie, codes, err
}

// notTaken is what is said of an answer that cannot be taken.
func notTaken(answer string, err error) error {
	key := "err.passkey.wrong"
	if answer == "" {
		key = "err.passkey.script"
	}
	e := errs.InvalidField("passkey", key)
	e.Err = err
	return e
}

// RemovePasskey takes a passkey of an account away, and with the last second
// factor the recovery codes; errs.NotFound when the account has no such one.
func (s *Service) RemovePasskey(ctx context.Context, p Principal, id string) error {
	return s.db.Tx(ctx, func(tx *db.Tx) error {
		if err := one(tx.Exec(ctx, `DELETE FROM passkeys WHERE user_id = $1 AND id = $2`, p.ID, id)); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM recovery_codes WHERE user_id = $1 AND NOT EXISTS (SELECT 1 FROM passkeys k WHERE k.user_id = $1)
			AND NOT EXISTS (SELECT 1 FROM second_factors f WHERE f.user_id = $1 AND f.confirmed_at IS NOT NULL)`, p.ID); err != nil {
			return err
		}
		return s.note(With(ctx, p), tx, "account.passkey_remove", p.ID, "passkey", id)
	})
}

// RemoveFactors takes codes, recovery codes and passkeys of an account away;
// errs.NotFound when it had no second factor.
func (s *Service) RemoveFactors(ctx context.Context, userID string) error {
	return s.db.Tx(ctx, func(tx *db.Tx) error {
		var removed int64
		for _, table := range []string{"second_factors", "passkeys", "recovery_codes"} {
			res, err := tx.Exec(ctx, `DELETE FROM `+table+` WHERE user_id = $1`, userID)
			if err != nil {
				return err
			}
			n, err := res.RowsAffected()
			if err != nil {
				return err
			}
			removed += n
		}
		if removed == 0 {
			return errs.New(errs.NotFound, "err.not_found")
		}
		return s.note(ctx, tx, "account.factors_remove", userID)
	})
}

// AskPasskey asks a browser for a passkey of whoever will answer, to sign in
// without a login.
func (s *Service) AskPasskey(rp RelyingParty) (Ceremony, error) {
	lib, err := rp.library()
	if err != nil {
		return Ceremony{}, err
	}
	assertion, data, err := lib.BeginDiscoverableLogin()
	if err != nil {
		return Ceremony{}, err
	}
	return s.ask(toSignIn, "", rp, assertion.Response, data)
}

// askOwn asks for one of an account's passkeys; errs.NotFound when it has none
// that is good here.
func (s *Service) askOwn(ctx context.Context, rp RelyingParty, to, who, userID string) (Ceremony, error) {
	all, err := s.Passkeys(ctx, userID)
	if err != nil {
		return Ceremony{}, err
	}
	keys := good(all, rp)
	if len(keys) == 0 {
		return Ceremony{}, errs.New(errs.NotFound, "err.not_found")
	}
	lib, err := rp.library()
	if err != nil {
		return Ceremony{}, err
	}
	assertion, data, err := lib.BeginLogin(&keyholder{id: userID, keys: keys})
	if err != nil {
		return Ceremony{}, err
	}
	return s.ask(to, who, rp, assertion.Response, data)
}

// AskStepPasskey asks for a passkey as the second step of a sign-in that waits
// under a secret; errs.NotFound when the account has none that is good here,
// errs.Unauthenticated when nothing waits.
func (s *Service) AskStepPasskey(ctx context.Context, rp RelyingParty, step string) (Ceremony, error) {
	userID, ok := s.steps.get(step, s.now())
	if !ok {
		return Ceremony{}, errs.New(errs.Unauthenticated, "err.auth.step_over")
	}
	return s.askOwn(ctx, rp, toStep, userID, userID)
}

// AskProofPasskey asks who is signed in for a passkey once more; errs.NotFound
// when the account has none that is good here.
func (s *Service) AskProofPasskey(ctx context.Context, rp RelyingParty, p Principal, session Session) (Ceremony, error) {
	return s.askOwn(ctx, rp, toProve, session.ID, p.ID)
}

// SignInPasskey opens a session by the answer to AskPasskey. One that is not
// taken is errs.Invalid about "passkey", too many tries are errs.Busy.
func (s *Service) SignInPasskey(ctx context.Context, rp RelyingParty, waiting, answer string, from Client) (secret string, p Principal, err error) {
	userID, err := s.takePasskey(ctx, rp, toSignIn, "", "", waiting, answer, from)
	if err != nil {
		return "", Principal{}, err
	}
	return s.enter(ctx, userID, "passkey", from)
}

// SignInStepPasskey opens the session of a sign-in that waited for its second
// step, by the answer to AskStepPasskey. Errors are those of SignInCode, about
// "passkey".
func (s *Service) SignInStepPasskey(ctx context.Context, rp RelyingParty, step, waiting, answer string, from Client) (secret string, p Principal, err error) {
	over := errs.New(errs.Unauthenticated, "err.auth.step_over")
	userID, ok := s.steps.get(step, s.now())
	if !ok {
		return "", Principal{}, over
	}
	if _, err := s.takePasskey(ctx, rp, toStep, userID, userID, waiting, answer, from); err != nil {
		return "", Principal{}, err
	}
	if !s.steps.end(step) {
		return "", Principal{}, over
	}
	return s.enter(ctx, userID, "password and passkey", from)
}

// ProvePasskey is Prove by the answer to AskProofPasskey; what is wrong is
// errs.Invalid about "passkey".
func (s *Service) ProvePasskey(ctx context.Context, rp RelyingParty, p Principal, session Session, waiting, answer string, from Client) (secret string, err error) {
	if _, err := s.takePasskey(ctx, rp, toProve, session.ID, p.ID, waiting, answer, from); err != nil {
		return "", err
	}
	err = s.db.Tx(ctx, func(tx *db.Tx) error {
		if secret, err = s.renew(ctx, tx, session); err != nil {
			return err
		}
		return s.note(With(ctx, p), tx, "account.prove", p.ID, "session", session.ID, "with", "passkey")
	})
	return secret, err
}

// enter opens a session of an account that is not closed.
func (s *Service) enter(ctx context.Context, userID, with string, from Client) (secret string, p Principal, err error) {
	u, err := s.open(ctx, userID)
	if err != nil {
		return "", Principal{}, err
	}
	secret, err = s.openSession(ctx, u, with, from)
	return secret, u.principal(), err
}

// open returns an account that is not closed; errs.Unauthenticated else.
func (s *Service) open(ctx context.Context, userID string) (u User, err error) {
	err = db.NotFound(s.db.QueryRow(ctx, `SELECT `+userColumns+` FROM users u WHERE u.id = $1 AND u.disabled = 0`, userID).Scan(u.targets()...))
	if errs.Is(err, errs.NotFound) {
		return User{}, errs.New(errs.Unauthenticated, "err.auth.wrong")
	}
	return u, err
}

// takePasskey checks the answer of a device and notes the use of the passkey. It
// returns whose it is: of the account named, or of any where that is "".
func (s *Service) takePasskey(ctx context.Context, rp RelyingParty, to, who, userID, waiting, answer string, from Client) (string, error) {
	keys := []limitKey{{"address", "", network(from.Address)}}
	if wait, ok := s.limit.take(keys); !ok {
		return "", errs.New(errs.Busy, "err.auth.too_many", "n", int(wait.Minutes())+1)
	}
	lib, err := rp.library()
	if err != nil {
		return "", err
	}
	q, ok := s.ceremonies.open(to, who, waiting, s.now())
	if !ok {
		return "", errs.InvalidField("passkey", "err.passkey.over")
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes([]byte(answer))
	if err != nil {
		return "", notTaken(answer, err)
	}
	found, err := s.passkeys(ctx, `k.credential = $1`, base64.RawURLEncoding.EncodeToString(parsed.RawID))
	switch {
	case err != nil:
		return "", err
	case len(found) == 0, userID != "" && found[0].userID != userID, found[0].Host != rp.ID:
		return "", notTaken(answer, errors.New("the passkey is not registered here"))
	case !found[0].Blocked.IsZero():
		return "", errs.InvalidField("passkey", "err.passkey.blocked")
	}
	k := found[0]
	holder := &keyholder{id: k.userID, keys: []webauthn.Credential{k.credential}}
	var used *webauthn.Credential
	if to == toSignIn {
		_, used, err = lib.ValidatePasskeyLogin(func(_, _ []byte) (webauthn.User, error) { return holder, nil }, q.Session, parsed)
	} else {
		// Which of its passkeys the account was asked for has been looked up above.
		q.Session.AllowedCredentialIDs = nil
		used, err = lib.ValidateLogin(holder, q.Session, parsed)
	}
	if err != nil {
		return "", notTaken(answer, err)
	}
	u, err := s.open(ctx, k.userID)
	if errs.Is(err, errs.Unauthenticated) {
		return "", notTaken(answer, err)
	} else if err != nil {
		return "", err
	}
	if !s.ceremonies.spend(&q, s.now()) {
		return "", errs.InvalidField("passkey", "err.passkey.over")
	}
	if used.Authenticator.CloneWarning {
		return "", s.block(ctx, u.principal(), &k, parsed.Response.AuthenticatorData.Counter)
	}
	// Of two with the same count one goes on.
	err = one(s.db.Exec(ctx, `UPDATE passkeys SET sign_count = $2, used_at = $3 WHERE id = $1 AND blocked_at IS NULL AND (sign_count < $2 OR sign_count = 0 AND $2 = 0)`,
		k.ID, int64(used.Authenticator.SignCount), db.Micros(s.now())))
	if errs.Is(err, errs.NotFound) {
		return "", notTaken(answer, err)
	} else if err != nil {
		return "", err
	}
	s.limit.right(keys)
	return k.userID, nil
}

// block refuses a passkey for good whose count went backwards: there may be a
// copy of it, and nobody knows who has which. The entry says so to its owner.
func (s *Service) block(ctx context.Context, p Principal, k *Passkey, count uint32) error {
	err := s.db.Tx(ctx, func(tx *db.Tx) error {
		if _, err := tx.Exec(ctx, `UPDATE passkeys SET blocked_at = $2 WHERE id = $1 AND blocked_at IS NULL`, k.ID, db.Micros(s.now())); err != nil {
			return err
		}
		return s.note(With(ctx, System), tx, "account.passkey_block", p.ID, "passkey", k.ID, "count", k.credential.Authenticator.SignCount, "came", count)
	})
	if err != nil {
		return err
	}
	return errs.InvalidField("passkey", "err.passkey.blocked")
}
