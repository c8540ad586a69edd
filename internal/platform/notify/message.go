package notify

import (
	"encoding/json"
	"strings"
	"time"
	"unicode"

	"plateau/internal/platform/access"
	"plateau/internal/platform/i18n"
)

// Kind is a sort of notifications that somebody can want or not.
type Kind struct {
	Name       string            // its words are the key "notify.kind."+Name
	Permission access.Permission // who holds it for the object is told
	Optional   bool              // told nowhere unless somebody chooses so
}

// Channel is a way to somebody.
type Channel string

// The channels.
const (
	Page    Channel = "page"
	Mail    Channel = "mail"
	Webhook Channel = "webhook"
	SMS     Channel = "sms"
)

// Channels lists those that go out, in the order in which they are written.
func Channels() []Channel { return []Channel{Mail, Webhook, SMS} }

// Mode is when somebody is told.
type Mode string

// The modes.
const (
	Off    Mode = "off"
	Now    Mode = "now"
	Digest Mode = "digest" // once a day
)

// Message is what is told, before it is known to whom.
type Message struct {
	Key    string // of what caused it; the same key is told once to each recipient
	Kind   string // name of one of Options.Kinds
	Urgent bool   // may break through quiet hours
	Path   string // of the page about it, such as /alarms/7
	Text   Word   // with a Key
	About  access.Object
	// Follows is the page of what this takes back: it is told to those who were
	// told something with that page before. "" = to everybody.
	Follows string
	// To are the accounts it is for, of those who may know of it; nil = all of them.
	To []string
	// Space is how long after something with the same page went out by mail or short
	// message this one does at the earliest; what comes meanwhile goes out together.
	// Zero = at once.
	Space time.Duration
}

// Word is a text in every language: one of Text, Key, the name in three
// languages, or At.
type Word struct {
	Text  string          `json:"text,omitempty"` // the same in all languages
	Key   string          `json:"key,omitempty"`  // of the catalogue
	Words map[string]Word `json:"words,omitempty"`
	Zh    string          `json:"zh,omitempty"`
	Bo    string          `json:"bo,omitempty"`
	En    string          `json:"en,omitempty"`
	At    int64           `json:"at,omitempty"` // Unix seconds, written as date and time
	// Short is what a short message says in its place, in MaxShort units of UCS-2, with
	// the link where that leaves room; nil = the same, however long.
	Short *Word `json:"short,omitempty"`
}

// In writes a word in the language of l, on one line: names come from registries
// that people fill in.
func (w Word) In(l *i18n.Localizer) string {
	switch {
	case w.Key != "":
		args := make([]any, 0, 2*len(w.Words))
		for name, part := range w.Words {
			args = append(args, name, part.In(l))
		}
		return oneLine(l.T(w.Key, args...))
	case w.At != 0:
		return i18n.Stamp(time.Unix(w.At, 0))
	case w.Text != "":
		return oneLine(w.Text)
	case l.Lang() == i18n.Bo && w.Bo != "":
		return oneLine(w.Bo)
	case l.Lang() == i18n.En && w.En != "":
		return oneLine(w.En)
	}
	return oneLine(w.Zh)
}

// oneLine makes every run of blanks and control characters one blank, so that no
// name begins a line, a header or a field of its own.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || r == '\u2028' || r == '\u2029'
	}), " ")
}

func (w Word) stored() (string, error) {
	b, err := json.Marshal(w)
	return string(b), err
}

func loadWord(text string) (w Word, err error) {
	err = json.Unmarshal([]byte(text), &w)
	return w, err
}
