package notify_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/i18n"
	"plateau/internal/platform/notify"
)

// fake is a channel that takes everything.
type fake struct{ parcels chan notify.Parcel }

func newFake() *fake { return &fake{make(chan notify.Parcel, 1000)} }

// Send implements notify.Sender.
func (f *fake) Send(_ context.Context, p *notify.Parcel) notify.Outcome {
	f.parcels <- *p
	return notify.Outcome{Status: 250}
}

func (f *fake) taken() (out []notify.Parcel) {
	for {
		select {
		case p := <-f.parcels:
			out = append(out, p)
		default:
			return out
		}
	}
}

// TestToldOnce: who may know of it and wants to is told, once; an act that fails
// tells nobody.
func TestToldOnce(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, url string) {
		t.Helper()
		r := newRig(t, url, nil)
		ctx := t.Context()
		in, out := r.account("in", "officer", "540121"), r.account("out", "officer", "540221")
		none, owner, closed := r.account("none", "administrator", ""), r.account("owner", "enterprise", ""), r.account("closed", "officer", "")
		silent := r.account("silent", "officer", "")
		if err := r.auth.SetDisabled(ctx, closed.ID, true); err != nil {
			t.Fatal(err)
		}
		set, _ := r.Settings(ctx, silent.ID)
		set.Modes[notify.Choice{Kind: "alarm_raised", Channel: notify.Page}] = notify.Off
		if err := r.SaveSettings(ctx, silent, set); err != nil {
			t.Fatal(err)
		}
		broken := errors.New("broken")
		err := r.db.Tx(ctx, func(tx *db.Tx) error {
			if err := r.Tell(ctx, tx, []notify.Message{message("a0")}); err != nil {
				return err
			}
			return broken
		})
		if !errors.Is(err, broken) {
			t.Fatal(err)
		}
		r.tell(message("a1"), message("a2"))
		r.tell(message("a2"), message("a1"))
		for _, tt := range []struct {
			who  auth.Principal
			want int
		}{{in, 2}, {out, 0}, {none, 0}, {owner, 2}, {closed, 0}, {silent, 0}} {
			list, n, err := r.Inbox(ctx, tt.who.ID, i18n.En, notify.Filter{Limit: 10})
			if err != nil || n != tt.want || len(list) != tt.want {
				t.Errorf("%s was told %d times, want %d: %v", tt.who.Login, n, tt.want, err)
			}
			if unread, err := r.Unread(ctx, tt.who.ID); err != nil || unread != tt.want {
				t.Errorf("%s: %d unread, %v", tt.who.Login, unread, err)
			}
		}
		list, _, _ := r.Inbox(ctx, in.ID, i18n.En, notify.Filter{Limit: 1})
		if want := "Over the limit: Stack 1, since 2026-11-23 10:00"; list[0].Text != want || list[0].Path != "/alarms/a2" {
			t.Errorf("%+v, want %q", list[0], want)
		}
		r.tell(message("a3")) // after the page was drawn
		if err := r.ReadAll(ctx, in.ID, list[0].ID); err != nil {
			t.Fatal(err)
		}
		if n, _ := r.Unread(ctx, in.ID); n != 1 {
			t.Errorf("%d unread", n)
		}
		if err := r.Read(ctx, owner.ID, list[0].ID); err != nil { // of somebody else
			t.Fatal(err)
		}
		if n, _ := r.Unread(ctx, owner.ID); n != 3 {
			t.Errorf("the owner has %d unread", n)
		}
		err = r.db.Tx(ctx, func(tx *db.Tx) error { return r.Tell(ctx, tx, []notify.Message{{Key: "x", Kind: "nothing"}}) })
		if err == nil {
			t.Error("an unknown kind was told")
		}
	})
}

// TestWhen: at once, in a digest, after quiet hours, and what is urgent through
// them.
func TestWhen(t *testing.T) {
	t.Parallel()
	at := func(clock string) time.Time {
		c, err := time.Parse("15:04", clock)
		if err != nil {
			t.Fatal(err)
		}
		return time.Date(2026, 11, 23, c.Hour(), c.Minute(), 7, 0, i18n.Zone)
	}
	r := newRig(t, t.TempDir()+"/x.db", func(o *notify.Options) { o.Senders[notify.Mail] = newFake() })
	for _, tt := range []struct {
		name   string
		now    string
		mode   notify.Mode
		urgent bool
		set    func(s *notify.Settings)
		want   string // on the clock; "+1 " = the next day
	}{
		{"at once", "10:00", notify.Now, false, func(*notify.Settings) {}, "10:00"},
		{"digest today", "07:00", notify.Digest, false, func(*notify.Settings) {}, "08:00"},
		{"digest tomorrow", "09:00", notify.Digest, true, func(*notify.Settings) {}, "+1 08:00"},
		{"quiet over midnight", "23:00", notify.Now, false, func(s *notify.Settings) { s.QuietFrom, s.QuietTo = 22*60, 6*60 }, "+1 06:00"},
		{"quiet after midnight", "01:00", notify.Now, false, func(s *notify.Settings) { s.QuietFrom, s.QuietTo = 22*60, 6*60 }, "06:00"},
		{"not quiet", "12:00", notify.Now, false, func(s *notify.Settings) { s.QuietFrom, s.QuietTo = 22*60, 6*60 }, "12:00"},
		{"quiet at noon", "12:30", notify.Now, false, func(s *notify.Settings) { s.QuietFrom, s.QuietTo = 12*60, 14*60 }, "14:00"},
		{"urgent breaks through", "23:00", notify.Now, true, func(s *notify.Settings) { s.QuietFrom, s.QuietTo = 22*60, 6*60 }, "23:00"},
		{"urgent does not", "23:00", notify.Now, true, func(s *notify.Settings) { s.QuietFrom, s.QuietTo, s.Breaks = 22*60, 6*60, false }, "+1 06:00"},
		{"digest in quiet hours", "10:00", notify.Digest, false, func(s *notify.Settings) { s.DigestAt, s.QuietFrom, s.QuietTo = 23*60, 22*60, 6*60 }, "+1 06:00"},
	} {
		r.at = at(tt.now)
		p := r.account(tt.name, "officer", "")
		r.confirmed(p, notify.Mail, "in@example.org", tt.mode)
		set, _ := r.Settings(t.Context(), p.ID)
		tt.set(&set)
		if err := r.SaveSettings(t.Context(), p, set); err != nil {
			t.Fatal(err)
		}
		m := message(tt.name)
		m.Urgent = tt.urgent
		r.tell(m)
		list, n, err := r.Deliveries(t.Context(), notify.DeliveryFilter{User: p.ID, Limit: 2})
		if err != nil || n != 1 {
			t.Fatalf("%s: %d deliveries, %v", tt.name, n, err)
		}
		day, clock := 0, tt.want
		if c, ok := strings.CutPrefix(clock, "+1 "); ok {
			day, clock = 1, c
		}
		want := at(clock).AddDate(0, 0, day)
		if got := list[0].Due.In(i18n.Zone); got.Sub(want).Abs() > 10*time.Second {
			t.Errorf("%s: due %s, want %s", tt.name, got, want)
		}
	}
}

// TestTogether: what is held back goes out as one mail, in the recipient's
// language; what may no longer be known is left out.
func TestTogether(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, url string) {
		t.Helper()
		f := newFake()
		r := newRig(t, url, func(o *notify.Options) { o.Senders[notify.Mail] = f })
		p := r.account("in", "officer", "540121")
		r.confirmed(p, notify.Mail, "in@example.org", notify.Digest)
		set, _ := r.Settings(t.Context(), p.ID)
		set.Lang = i18n.En
		if err := r.SaveSettings(t.Context(), p, set); err != nil {
			t.Fatal(err)
		}
		r.tell(message("a1"))
		r.pass(time.Hour)
		r.tell(message("a2"), message("a3"))
		if d := r.only(); d.Items != 3 || d.State != notify.Waiting {
			t.Fatalf("%+v", d)
		}
		r.pass(24 * time.Hour)
		r.run(func() bool { return r.states()[notify.Sent] == 1 })
		got := f.taken()
		if len(got) != 1 || got[0].Subject != "3 notifications: Over the limit: Stack 1, since 2026-11-23 10:00" || strings.Count(got[0].Body, "https://example.org/p/en/alarms/a") != 3 || got[0].To != "in@example.org" {
			t.Fatalf("%+v", got)
		}
		if !strings.Contains(got[0].Short, "https://example.org/p/en/notifications") || !strings.Contains(string(got[0].JSON), `"kind":"alarm_raised"`) {
			t.Errorf("%s, %s", got[0].Short, got[0].JSON)
		}
		// The post moves to another county before the next digest goes out.
		r.tell(message("a4"))
		if _, err := r.db.Exec(t.Context(), `UPDATE users SET area = '540221' WHERE id = $1`, p.ID); err != nil {
			t.Fatal(err)
		}
		r.pass(24 * time.Hour)
		r.run(func() bool { return r.states()[notify.Failed] == 1 })
		if got := f.taken(); len(got) != 0 {
			t.Errorf("it was told all the same: %+v", got)
		}
	})
}

// TestAddress: nothing goes to an address before its owner has given the code
// back; a wrong code, an old one and too many of them are refused; an erased
// address leaves nothing behind.
func TestAddress(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, url string) {
		t.Helper()
		f := newFake()
		r := newRig(t, url, func(o *notify.Options) {
			o.Senders[notify.Mail], o.Senders[notify.SMS], o.Senders[notify.Webhook] = f, f, f
			o.Private = false
		})
		ctx := t.Context()
		p := r.account("in", "officer", "")
		set, _ := r.Settings(ctx, p.ID)
		for _, c := range notify.Channels() {
			set.Modes[notify.Choice{Kind: "alarm_raised", Channel: c}] = notify.Now
		}
		if err := r.SaveSettings(ctx, p, set); err != nil {
			t.Fatal(err)
		}
		for _, bad := range []struct {
			c       notify.Channel
			address string
		}{
			{notify.Mail, ""},
			{notify.Mail, "a@b@example.org"},
			{notify.Mail, "A <a@example.org>"},
			{notify.Mail, "a@example.org, b@example.org"},
			{notify.Mail, "a@example.org\r\nBcc: b@example.org"},
			{notify.Mail, "a b@example.org"},
			{notify.Mail, `"a\r\n"@example.org`},
			{notify.Mail, "a@localhost"},
			{notify.SMS, "call me"},
			{notify.SMS, "123"},
			{notify.SMS, "+861380000000099999"},
			{notify.Webhook, "http://example.org/"},
			{notify.Webhook, "https://127.0.0.1/"},
		} {
			if _, err := r.SetAddress(ctx, p, bad.c, bad.address); !errs.Is(err, errs.Invalid) {
				t.Errorf("%s %q: %v", bad.c, bad.address, err)
			}
		}
		if _, err := r.SetAddress(ctx, p, notify.Mail, " in@example.org "); err != nil {
			t.Fatal(err)
		}
		r.tell(message("a1"))
		r.run(func() bool { return r.states()[notify.Sent] == 1 })
		got := f.taken()
		if len(got) != 1 || got[0].To != "in@example.org" || strings.Contains(got[0].Body, "一号排口") {
			t.Fatalf("before the address is confirmed: %+v", got)
		}
		_, code, _ := strings.Cut(strings.SplitN(got[0].Body, "\n", 2)[0], "：")
		wrong := "000000"
		if code == wrong {
			wrong = "000001"
		}
		for range 4 {
			if err := r.Confirm(ctx, p, notify.Mail, wrong); !errs.Is(err, errs.Invalid) {
				t.Fatal(err)
			}
		}
		if err := r.Confirm(ctx, p, notify.Mail, " "+code[:3]+" "+code[3:]); err != nil {
			t.Fatal(err)
		}
		r.tell(message("a2"))
		r.run(func() bool { return r.states()[notify.Sent] == 2 })
		if got := f.taken(); len(got) != 1 || !strings.Contains(got[0].Body, "一号排口") {
			t.Errorf("%+v", got)
		}
		// A new address begins anew; five wrong codes end its code, as does time.
		if _, err := r.SetAddress(ctx, p, notify.Mail, "other@example.org"); err != nil {
			t.Fatal(err)
		}
		for range 5 {
			_ = r.Confirm(ctx, p, notify.Mail, "x")
		}
		var second string
		if err := r.db.QueryRow(ctx, `SELECT code FROM notify_addresses WHERE user_id = $1`, p.ID).Scan(&second); err != nil {
			t.Fatal(err)
		}
		if err := r.Confirm(ctx, p, notify.Mail, second); !errs.Is(err, errs.Invalid) {
			t.Errorf("after five wrong ones: %v", err)
		}
		secret, err := r.SetAddress(ctx, p, notify.Webhook, "https://example.org/hook")
		if err != nil || !secret.Valid() {
			t.Fatalf("%q, %v", secret, err)
		}
		if _, err := r.SetAddress(ctx, p, notify.SMS, "+86 138-0000 ００００"); err != nil {
			t.Fatal(err)
		}
		a, err := r.Addresses(ctx, p.ID)
		if err != nil || a[notify.SMS].Address != "+8613800000000" || !a[notify.SMS].CodeOpen || !a[notify.Mail].Confirmed.IsZero() {
			t.Errorf("%+v, %v", a, err)
		}
		if _, err := r.SetAddress(ctx, p, notify.SMS, "13800000001"); err != nil {
			t.Fatal(err)
		}
		if _, err := r.SetAddress(ctx, p, notify.SMS, "13800000002"); !errs.Is(err, errs.Busy) {
			t.Errorf("a sixth code: %v", err)
		}
		r.pass(31 * time.Minute)
		if a, _ := r.Addresses(ctx, p.ID); a[notify.SMS].CodeOpen {
			t.Error("the code is good after half an hour")
		}
		for _, c := range notify.Channels() {
			if err := r.RemoveAddress(ctx, p, c); err != nil {
				t.Fatal(err)
			}
		}
		var rows int
		if err := r.db.QueryRow(ctx, `SELECT count(*) FROM notify_addresses`).Scan(&rows); err != nil || rows != 0 {
			t.Errorf("%d addresses are left, %v", rows, err)
		}
		if n := r.states()[notify.Waiting]; n != 0 {
			t.Errorf("%d deliveries wait for erased addresses", n)
		}
		var detail string
		if err := r.db.QueryRow(ctx, `SELECT count(*) FROM audit_details WHERE detail LIKE '%example%' OR detail LIKE '%1380%'`).Scan(&detail); err != nil || detail != "0" {
			t.Errorf("the record of acts holds an address: %s, %v", detail, err)
		}
	})
}

// TestOld: what is older than it is kept goes, what waits stays.
func TestOld(t *testing.T) {
	t.Parallel()
	f := newFake()
	r := newRig(t, t.TempDir()+"/x.db", func(o *notify.Options) {
		o.Senders[notify.Mail] = f
		o.Keep = 48 * time.Hour
	})
	p := r.account("in", "officer", "")
	r.confirmed(p, notify.Mail, "in@example.org", notify.Now)
	r.tell(message("a1"))
	r.run(func() bool { return r.states()[notify.Sent] == 1 })
	r.pass(49 * time.Hour)
	r.tell(message("a2"))
	r.restart()
	r.run(func() bool { return cmp.Equal(r.states(), map[string]int{notify.Sent: 1}) && len(f.taken()) <= 2 })
	if _, n, err := r.Inbox(t.Context(), p.ID, i18n.Zh, notify.Filter{Limit: 10}); err != nil || n != 1 {
		t.Errorf("%d, %v", n, err)
	}
}
