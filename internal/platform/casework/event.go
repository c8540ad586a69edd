package casework

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Event is one act on a case. None is ever changed.
type Event struct {
	Case       string
	Seq        int       // from 1
	At         time.Time // when it was received, to the second
	Occurred   time.Time // when it was done, by the clock of who did it; never after At
	Actor      string    // "user:ID", "service" for the program itself, "reporter" for who came with the PIN
	Post       string    // acted in, as it was called then
	OnBehalfOf string    // account whose post was delegated; "" = nobody
	Action     string
	From, To   string
	Payload    []byte // Body as it is stored
	Body       Body
	Key        string // Idempotency-Key of the request; "" = none
	Visibility Visibility
	Prev, Hash string // hexadecimal
}

// Visibility is who may read an event.
type Visibility string

// From who may read everything to everybody.
const (
	Restricted Visibility = "restricted" // tells who reported
	Staff      Visibility = "staff"
	ToReporter Visibility = "reporter"
	Public     Visibility = "public"
)

// Body is what was entered and what it changed.
type Body struct {
	Salt        string            `json:"salt"` // so that what is erased later cannot be guessed from its hash
	Opens       *Opening          `json:"opens,omitempty"`
	Form        map[string]string `json:"form,omitempty"`
	Attachments []string          `json:"attachments,omitempty"` // SHA-256 of what is attached
	Tell        []string          `json:"tell,omitempty"`        // who is to be told, in the words of the type
	Changes     Changes           `json:"changes"`
}

// genesis stands before the first event of a case.
var genesis = strings.Repeat("0", 64)

// hash is the link of an event in the chain of its case: SHA-256 over these lines,
// each with a line feed behind it.
func (e *Event) hash() string {
	sum := sha256.Sum256(e.Payload)
	return chain(e.Case, e.Seq, e.At, e.Actor, e.Action, e.From, e.To, hex.EncodeToString(sum[:]), e.Prev)
}

func chain(id string, seq int, at time.Time, actor, action, from, to, payload, prev string) string {
	h := sha256.New()
	for _, line := range []string{"v1", id, fmt.Sprint(seq), at.UTC().Format("2006-01-02T15:04:05Z"), actor, action, from, to, payload, prev} {
		h.Write([]byte(line + "\n"))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// seal fills in what follows from the rest of an event.
func (e *Event) seal(prev string) (err error) {
	if e.Payload, err = json.Marshal(e.Body); err != nil {
		return fmt.Errorf("payload of an event: %w", err)
	}
	e.Prev = prev
	e.Hash = e.hash()
	return nil
}

// Fold makes a case of its events, in their order. It is an error when they are not
// a chain from the first one on.
func Fold(events []Event) (*Case, error) {
	var c, before *Case
	prev := genesis
	for i := range events {
		e := &events[i]
		if e.Seq != i+1 || e.Prev != prev || e.hash() != e.Hash {
			return nil, fmt.Errorf("event %d of case %s does not follow from the one before", i+1, e.Case)
		}
		prev = e.Hash
		if i == 0 {
			if e.Body.Opens == nil {
				return nil, fmt.Errorf("case %s does not begin with its opening", e.Case)
			}
			c = e.Body.Opens.open(e)
		}
		if n := e.Body.Changes.TakesBack; n != 0 {
			if n != e.Seq-1 || before == nil {
				return nil, fmt.Errorf("event %d of case %s takes back what is not the event before", e.Seq, e.Case)
			}
			c.restore(before, e)
			before = nil
			continue
		}
		if i > 0 {
			before = c.clone()
		}
		c.apply(e)
	}
	if c == nil {
		return nil, fmt.Errorf("a case without events")
	}
	return c, nil
}
