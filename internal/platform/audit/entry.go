package audit

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"plateau/internal/platform/db"
)

// Entry is one act. Append fills Chain, Seq, Hash and Address.
type Entry struct {
	Chain string // of the process that wrote it
	Seq   int64  // from 1, without gaps in a chain
	At    time.Time

	Who        string // account id; "system" for the program itself
	Post       string // they acted in, as shown in Chinese then
	OnBehalfOf string // account id of the holder who delegated the post; "" = nobody

	System string // it belongs to, such as "telemetry"
	Act    string // such as "registry.update"
	Kind   string // of the object, such as "outlet"
	Ref    string // the object's id
	// Subjects are the accounts whose personal data the act looked at or changed.
	Subjects []string

	// Erasable, and empty when Erased.
	Address string // it came from; "" when the program acted by itself
	Detail  string // JSON, what changed
	Erased  bool
	// AddressErased tells that the address alone is gone, because its time was over.
	AddressErased bool

	Hash string // hexadecimal SHA-256
}

// process is the chain of this process.
var process = uuid.Must(uuid.NewV7()).String()

type addressKey struct{}

// WithAddress lets the entries of acts under ctx tell the address they came from.
func WithAddress(ctx context.Context, address string) context.Context {
	return context.WithValue(ctx, addressKey{}, address)
}

// Middleware lets the entries of a request's acts tell the address it came from,
// as address says.
func Middleware(address func(*http.Request) string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(WithAddress(r.Context(), address(r))))
	})
}

type shellKey struct{}

// WithShell marks acts under ctx as those of a command on this machine, by the
// name of the operating system's user that gave it.
func WithShell(ctx context.Context, user string) context.Context {
	return context.WithValue(ctx, shellKey{}, user)
}

// Shell is the user of WithShell; "" without.
func Shell(ctx context.Context) string {
	user, _ := ctx.Value(shellKey{}).(string)
	return user
}

// Append adds an entry to the chain of this process, in the transaction of the
// act: both are kept or neither. Call it last in the transaction, for on
// PostgreSQL other acts of this process wait from here to its end.
func Append(ctx context.Context, tx *db.Tx, e Entry) error {
	if e.Who == "" || e.System == "" || e.Act == "" || e.At.IsZero() {
		return fmt.Errorf("audit: an entry needs who, system, act and time: %+v", e)
	}
	e.Chain = process
	e.At = db.Time(db.Micros(e.At))
	e.Subjects = slices.Compact(slices.Sorted(slices.Values(e.Subjects)))
	e.Address, _ = ctx.Value(addressKey{}).(string)
	for _, s := range []*string{&e.Post, &e.Kind, &e.Ref, &e.Address, &e.Detail} {
		*s = clean(*s)
	}
	if _, err := tx.Exec(ctx, `INSERT INTO audit_chains (id, began_at, seq, head) VALUES ($1, $2, 0, '') ON CONFLICT (id) DO NOTHING`, e.Chain, db.Micros(e.At)); err != nil {
		return fmt.Errorf("begin chain of audit entries: %w", err)
	}
	var before string
	if err := tx.QueryRow(ctx, `UPDATE audit_chains SET seq = seq + 1 WHERE id = $1 RETURNING seq, head`, e.Chain).Scan(&e.Seq, &before); err != nil {
		return fmt.Errorf("read head of audit entries: %w", err)
	}
	salt, addressSalt := rand.Text(), rand.Text()
	addressSum := digest(addressSalt, e.Address)
	commitment := commitTo(addressSum, salt, e.Detail)
	e.Hash = e.chained(before, commitment)
	subjects, err := json.Marshal(e.Subjects)
	if err != nil {
		return err
	}
	if err := tx.Insert(ctx, "audit_entries", []string{"chain", "seq", "at", "who", "post", "on_behalf_of", "system", "act", "kind", "ref", "subjects", "commitment", "hash"},
		[][]any{{e.Chain, e.Seq, db.Micros(e.At), e.Who, e.Post, e.OnBehalfOf, e.System, e.Act, e.Kind, e.Ref, string(subjects), commitment, e.Hash}}); err != nil {
		return err
	}
	if err := tx.Insert(ctx, "audit_details", []string{"chain", "seq", "salt", "address", "address_salt", "address_sum", "detail"}, [][]any{{e.Chain, e.Seq, salt, e.Address, addressSalt, addressSum, e.Detail}}); err != nil {
		return err
	}
	rows := make([][]any, len(e.Subjects))
	for i, s := range e.Subjects {
		rows[i] = []any{s, e.Chain, e.Seq}
	}
	if err := tx.Insert(ctx, "audit_subjects", []string{"subject", "chain", "seq"}, rows); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `UPDATE audit_chains SET head = $2 WHERE id = $1`, e.Chain, e.Hash); err != nil {
		return fmt.Errorf("write head of audit entries: %w", err)
	}
	return nil
}

// clean makes a text one that both databases keep: an act must not fail, nor its
// entry be lost, because of a byte in what it carries.
func clean(s string) string {
	if utf8.ValidString(s) && !strings.Contains(s, "\x00") {
		return s
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// commitTo binds an entry to what may be erased: to its address by the hash of that
// with a salt, so that the address alone can go, and to its detail. The salts keep
// somebody who holds the chain alone from guessing either.
func commitTo(addressSum, salt, detail string) string {
	return digest("2", addressSum, digest(salt, detail))
}

// commitFirst is the form of before: address and detail go together.
func commitFirst(salt, address, detail string) string { return digest(salt, address, detail) }

// chained is the hash of an entry behind the hash of the one before.
func (e *Entry) chained(before, commitment string) string {
	parts := []string{
		before, e.Chain, fmt.Sprint(e.Seq), fmt.Sprint(db.Micros(e.At)), e.Who, e.Post, e.OnBehalfOf,
		e.System, e.Act, e.Kind, e.Ref, commitment,
	}
	return digest(append(parts, e.Subjects...)...)
}

// digest is the SHA-256 of texts, each with its length, so that no two lists of
// texts have the same.
func digest(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(p)))
		h.Write(n[:])
		h.Write([]byte(p))
	}
	return hex.EncodeToString(h.Sum(nil))
}
