package notify

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf16"

	"plateau/internal/platform/access"
	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/i18n"
	"plateau/internal/platform/outbound"
)

// Parcel is what is handed over to a channel, worded for its recipient. The same
// delivery always makes the same parcel, so that a repeat is recognised.
type Parcel struct {
	ID      string
	At      time.Time // when it was made, in UTC
	To      string
	Secret  outbound.Secret // of webhooks
	Lang    i18n.Lang
	Subject string // one line
	Body    string // plain text
	Short   string // for a short message
	JSON    []byte
}

// mostItems is how many notifications a mail tells one by one.
const mostItems = 50

// item is one notification of a delivery.
type item struct {
	ID     string    `json:"id"`
	Kind   string    `json:"kind"`
	At     time.Time `json:"time"`
	Urgent bool      `json:"urgent"`
	Text   string    `json:"text"`
	Link   string    `json:"link"`
	short  string    // "" = Text, however long
}

// parcel words a delivery. why tells in English why there is nothing to be sent
// any more.
func (s *Service) parcel(ctx context.Context, d *delivery) (p *Parcel, why string, err error) {
	p = &Parcel{ID: d.ID, At: d.Created}
	err = s.o.DB.View(ctx, func(tx *db.Tx) error {
		settings, err := loadSettings(ctx, tx, d.User)
		if err != nil {
			return err
		}
		set := cmp.Or(settings[d.User], new(defaults()))
		p.Lang = set.Lang
		a, err := loadAddress(ctx, tx, d.User, d.Channel)
		if errs.Is(err, errs.NotFound) {
			why = "the address was taken back"
			return nil
		}
		if err != nil {
			return err
		}
		account, err := s.account(ctx, tx, d.User)
		if err != nil {
			return err
		}
		p.To, p.Secret = a.Address, a.secret
		l := s.o.Catalogue.For(p.Lang)
		switch {
		case s.o.Senders[d.Channel] == nil:
			why = "the installation no longer has this channel"
		case account == nil:
			why = "the account is closed"
		case d.Purpose == purposeCode:
			if a.code == "" || !s.o.Now().Before(a.codeUntil) {
				why = "the code is no longer good"
				return nil
			}
			s.wordCode(p, l, a.code)
		case a.Confirmed.IsZero():
			why = "the address is not confirmed"
		case d.Purpose == purposeTest:
			s.word(p, l, []item{{ID: d.ID, Kind: "test", At: d.Created, Text: l.T("notify.text.test"), Link: s.link(p.Lang, "/notifications")}})
		default:
			items, err := s.items(ctx, tx, d.ID, account.Grants, l)
			if err != nil {
				return err
			}
			if len(items) == 0 {
				why = "the recipient may no longer know of it"
				return nil
			}
			s.word(p, l, items)
		}
		return nil
	})
	return p, why, err
}

// account returns an open account, nil when there is none.
func (s *Service) account(ctx context.Context, q db.Querier, userID string) (*Account, error) {
	all, err := s.o.Accounts(ctx, q)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].ID == userID {
			return &all[i], nil
		}
	}
	return nil, nil //nolint:nilnil // closed
}

// items reads what a delivery tells, without what its recipient may no longer
// know of.
func (s *Service) items(ctx context.Context, tx *db.Tx, id string, g access.Grants, l *i18n.Localizer) (out []item, err error) {
	rows, err := tx.Query(ctx, `SELECT n.id, n.kind, n.at, n.urgent, n.path, n.text, n.area, n.organisation FROM notify_items i JOIN notifications n ON n.id = i.notification WHERE i.delivery = $1 ORDER BY n.id`, id)
	if err != nil {
		return nil, fmt.Errorf("read what is told: %w", err)
	}
	defer rows.Close()
	areas := s.o.Areas()
	for rows.Next() {
		var it item
		var at int64
		var path, text string
		var about access.Object
		if err := rows.Scan(&it.ID, &it.Kind, &at, &it.Urgent, &path, &text, &about.Area, &about.Organisation); err != nil {
			return nil, fmt.Errorf("read what is told: %w", err)
		}
		if !access.Default().May(g, s.kinds[it.Kind].Permission, about, areas) {
			continue
		}
		w, err := loadWord(text)
		if err != nil {
			return nil, fmt.Errorf("notification %s: %w", it.ID, err)
		}
		it.At, it.Text, it.Link = db.Time(at), w.In(l), s.link(l.Lang(), path)
		if w.Short != nil {
			it.short = w.Short.In(l)
		}
		out = append(out, it)
	}
	return out, rows.Err()
}

// link is the address of a page.
func (s *Service) link(lang i18n.Lang, path string) string {
	return strings.TrimSuffix(s.o.BaseURL, "/") + "/" + string(lang) + path
}

// word writes notifications for every channel.
func (s *Service) word(p *Parcel, l *i18n.Localizer, items []item) {
	all, own := s.link(p.Lang, "/notifications"), s.link(p.Lang, "/account/notifications")
	n := len(items)
	var b strings.Builder
	for _, it := range items[:min(n, mostItems)] {
		fmt.Fprintf(&b, "%s  %s\n%s\n\n", i18n.Stamp(it.At), it.Text, it.Link)
	}
	if n > mostItems {
		fmt.Fprintf(&b, "%s\n%s\n\n", l.T("notify.mail.more", "n", n-mostItems), all)
	}
	p.Subject = l.T("notify.mail.subject", "text", items[0].Text)
	p.Short = l.T("notify.sms.one", "text", items[0].Text, "link", items[0].Link)
	if n > 1 {
		p.Subject = l.T("notify.mail.subject_many", "n", n, "text", items[0].Text)
		p.Short = l.T("notify.sms.many", "n", n, "text", items[0].Text, "link", all)
	}
	if short := items[n-1].short; short != "" { // the last says how it stands
		p.Short = fitted(short, items[n-1].Link)
	}
	p.Body = b.String() + "-- \n" + l.T("notify.mail.footer") + "\n" + own + "\n"
	p.JSON = document(map[string]any{"id": p.ID, "time": p.At, "notifications": items, "link": all})
}

// MaxShort is how much one short message holds, in units of UCS-2.
const MaxShort = 70

// fitted is a text with its link where one short message holds both, else as much of
// the text as it holds.
func fitted(text, link string) string {
	if whole := text + " " + link; units(whole) <= MaxShort {
		return whole
	}
	if units(text) <= MaxShort {
		return text
	}
	n := 0
	for i, r := range text {
		if n += utf16.RuneLen(r); n > MaxShort-1 {
			return text[:i] + "…"
		}
	}
	return text
}

func units(s string) (n int) {
	for _, r := range s {
		n += max(1, utf16.RuneLen(r))
	}
	return n
}

// wordCode writes the code that confirms an address.
func (s *Service) wordCode(p *Parcel, l *i18n.Localizer, code string) {
	p.Subject = l.T("notify.mail.code_subject")
	p.Body = l.T("notify.mail.code", "code", code) + "\n\n" + s.link(p.Lang, "/account/notifications") + "\n\n-- \n" + l.T("notify.mail.code_footer") + "\n"
	p.Short = l.T("notify.sms.code", "code", code)
	p.JSON = document(map[string]any{"id": p.ID, "time": p.At, "confirmation_code": code})
}

func document(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // texts, numbers and times can be written
	}
	return b
}
