package accountweb

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"plateau/internal/platform/access"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/db"
	"plateau/internal/platform/notify"
)

func accounts(ctx context.Context, q db.Querier) (out []notify.Account, err error) {
	list, err := auth.OpenAccounts(ctx, q)
	for i := range list {
		out = append(out, notify.Account{ID: list[i].ID, Grants: list[i].Grants()})
	}
	return out, err
}

// outbox keeps what goes out, or refuses it.
type outbox struct {
	mu    sync.Mutex
	sent  []notify.Parcel
	fault string
}

// Send implements notify.Sender.
func (o *outbox) Send(_ context.Context, p *notify.Parcel) notify.Outcome {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sent = append(o.sent, *p)
	return notify.Outcome{Status: 250, Fault: o.fault, Final: o.fault != ""}
}

func (o *outbox) last() notify.Parcel {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.sent) == 0 {
		return notify.Parcel{}
	}
	return o.sent[len(o.sent)-1]
}

func (o *outbox) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.sent)
}

// deliver lets what waits go out.
func (r *rig) deliver(t *testing.T, want int) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	done := make(chan error, 1)
	go func() { done <- r.tell.Run(ctx) }()
	for ctx.Err() == nil {
		_, n, err := r.tell.Deliveries(ctx, notify.DeliveryFilter{State: notify.Waiting})
		if err != nil {
			t.Fatal(err)
		}
		if r.out.count() >= want && n == 0 {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	stop()
	if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

func (r *rig) happen(t *testing.T, keys ...string) {
	t.Helper()
	var list []notify.Message
	for _, key := range keys {
		list = append(list, notify.Message{
			Key: key, Kind: "alarm_raised", Urgent: true, Path: "/alarms/" + key, About: access.Object{Area: "540121"},
			Text: notify.Word{Key: "notify.text.alarm_raised", Words: map[string]notify.Word{"what": {Key: "alarm.kind.over"}, "outlet": {Text: "<b>" + key}, "since": {At: r.now().Unix()}}},
		})
	}
	if err := r.db.Tx(t.Context(), func(tx *db.Tx) error { return r.tell.Tell(t.Context(), tx, list) }); err != nil {
		t.Fatal(err)
	}
}

var idField = regexp.MustCompile(`name="(?:id|up_to)" value="([0-9a-f-]{36})"`)

// TestInbox: what one was told is listed, unread first marked, and read one by one
// or all at once; nobody reads or marks what somebody else was told.
func TestInbox(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b, other := r.signedIn(t, "officer"), r.signedIn(t, "operator")
	b.page("/en/notifications", "You have been told of nothing yet", `href="/en/account/notifications"`)
	r.happen(t, "a1", "a2")
	body := b.page("/en/notifications", "Over the limit: &lt;b&gt;a1, since 2026-11-24 16:30", `href="/en/alarms/a2"`, "unread", "urgent", "Mark all as read")
	ids := idField.FindAllStringSubmatch(body, -1)
	if len(ids) != 3 {
		t.Fatalf("%d buttons: %s", len(ids), body)
	}
	other.post("/en/notifications/read", "/en/notifications", "id", ids[0][1])
	b.page("/en/notifications?show=unread&kind=alarm_raised", "a1", "a2")
	b.post("/en/notifications/read", "/en/notifications", "id", ids[0][1])
	body = b.page("/en/notifications", "Marked as read.", "a2")
	if n := strings.Count(body, "<b>unread</b>"); n != 1 {
		t.Errorf("%d unread", n)
	}
	r.happen(t, "a3") // after the page was drawn
	b.post("/en/notifications/read", "/en/notifications", "up_to", ids[2][1])
	body = b.page("/en/notifications?show=unread", "a3")
	if strings.Contains(body, "/alarms/a1") || strings.Contains(body, "/alarms/a2") {
		t.Errorf("read ones are listed as unread: %s", body)
	}
	b.page("/en/notifications?kind=alarm_warning", "Nothing matches the filter")
	if n, err := r.tell.Unread(t.Context(), mustUser(t, r, "operator").ID); err != nil || n != 3 {
		t.Errorf("%d unread of somebody else, %v", n, err)
	}
}

func mustUser(t *testing.T, r *rig, login string) auth.User {
	t.Helper()
	u, err := r.UserByLogin(t.Context(), login)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// TestNotifySettings walks through an address: entered, confirmed by the code that
// was sent, chosen for a kind, told, erased.
func TestNotifySettings(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := r.signedIn(t, "officer")
	const page = "/en/account/notifications"
	body := b.page(page, "Mail address", "Mobile number", "serve to tell you what you choose here", "Nothing has been sent to you yet")
	if strings.Contains(body, "mode_alarm_raised_mail") {
		t.Error("mail can be chosen without an address")
	}
	b.refused(422, page+"/address", "Enter one mail address", "channel", "mail", "address_mail", "nobody")
	b.refused(422, page+"/address", "Enter a number of 5 to 15 digits", "channel", "sms", "address_sms", "x")
	b.post(page+"/address", page, "channel", "mail", "address_mail", "duty@example.org")
	b.page(page, "A code is on its way", "duty@example.org", "Not confirmed yet")
	r.deliver(t, 1)
	code := regexp.MustCompile(`\d{6}`).FindString(r.out.last().Body)
	if code == "" || r.out.last().To != "duty@example.org" {
		t.Fatalf("%+v", r.out.last())
	}
	b.refused(422, page+"/confirm", "This is not the code that was sent", "channel", "mail", "code_mail", "x")
	b.post(page+"/confirm", page, "channel", "mail", "code_mail", code)
	b.page(page, "The address is confirmed", `name="mode_alarm_raised_mail"`, "code for an address")
	b.refused(422, page, "Enter a time such as 22:00", "quiet_from", "late", "quiet_to", "06:00", "digest_at", "08:00")
	b.refused(422, page, "Enter both times, or none", "quiet_from", "22:00", "quiet_to", "", "digest_at", "08:00")
	b.post(page, page, "mode_alarm_raised_mail", "now", "mode_alarm_warning_page", "off", "quiet_from", "２２：００", "quiet_to", "6:30", "digest_at", "7:15", "lang", "en", "breaks", "1")
	body = b.page(page, "Your choice is saved.", `value="22:00"`, `value="06:30"`, `value="07:15"`, `<option value="now" selected>at once</option><option value="digest">`)
	if !strings.Contains(body, `<option value="off" selected>not at all</option></select>`) {
		t.Errorf("the warning is still told on the page: %s", body)
	}
	r.happen(t, "a1")
	r.deliver(t, 2)
	if p := r.out.last(); !strings.Contains(p.Subject, "Over the limit: <b>a1") || !strings.Contains(p.Body, "/en/alarms/a1") {
		t.Errorf("%+v", p)
	}
	b.post(page+"/remove", page, "channel", "mail")
	body = b.page(page, "The address is erased", "1 notification")
	if strings.Contains(body, "duty@example.org") {
		t.Error("the erased address is shown")
	}
	r.happen(t, "a2")
	r.deliver(t, 2)
	if r.out.count() != 2 {
		t.Error("something went to an erased address")
	}
	// The secret of a webhook is shown once.
	w := b.ask("POST", page+"/address", "channel", "webhook", "address_webhook", "http://127.0.0.1:1/hook")
	m := regexp.MustCompile(`<pre tabindex="0">(whsec_[^<]+)</pre>`).FindStringSubmatch(w.Body.String())
	if w.Code != http.StatusOK || m == nil || w.Header().Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %v: %s", w.Code, w.Header(), w.Body)
	}
	if strings.Contains(b.page(page), m[1]) {
		t.Error("the secret is shown again")
	}
	for i := range 3 {
		b.post(page+"/address", page, "channel", "sms", "address_sms", fmt.Sprint("1380000000", i))
	}
	b.refused(422, page+"/address", "Too many codes were sent", "channel", "sms", "address_sms", "13800000009")
	// An address can be erased when its channel is no longer there.
	insert := `INSERT INTO notify_addresses (user_id, channel, address, secret, code, code_until, code_tries, confirmed_at) VALUES ($1, 'mail', 'old@example.org', '', '', NULL, 0, 1)`
	if _, err := r.db.Exec(t.Context(), insert, mustUser(t, r, "officer").ID); err != nil {
		t.Fatal(err)
	}
	delete(r.senders, notify.Mail)
	b.page(page, "old@example.org", "no longer sends over this channel")
	b.post(page+"/remove", page, "channel", "mail")
	if strings.Contains(b.page(page), "old@example.org") {
		t.Error("the address is still there")
	}
	for _, secret := range []string{"duty@example.org", code, m[1]} {
		if strings.Contains(r.logs.String(), secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
}

// TestDeliveries: who runs the installation sees what became of deliveries, and
// neither what they say nor where they went; others see nothing of them.
func TestDeliveries(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b, operator := r.signedIn(t, "officer"), r.signedIn(t, "operator")
	operator.page("/en/notifications/deliveries", "Nothing has been sent to anybody yet")
	b.post("/en/account/notifications/address", "/en/account/notifications", "channel", "mail", "address_mail", "duty@example.org")
	r.deliver(t, 1)
	b.post("/en/account/notifications/confirm", "/en/account/notifications", "channel", "mail", "code_mail", regexp.MustCompile(`\d{6}`).FindString(r.out.last().Body))
	b.post("/en/account/notifications", "/en/account/notifications", "mode_alarm_raised_mail", "now", "digest_at", "08:00")
	r.happen(t, "a1")
	r.out.fault = "550 <duty@example.org> has no mailbox"
	r.deliver(t, 2)
	body := operator.page("/en/notifications/deliveries", "refused", "550", "has no mailbox", "code for an address", "1 notification", mustUser(t, r, "officer").Post.In("en"))
	for _, secret := range []string{"duty@", "/alarms/a1", "Over the limit"} {
		if strings.Contains(body, secret) {
			t.Errorf("the page tells %q", secret)
		}
	}
	operator.page("/en/notifications/deliveries?state=given_up&channel=mail", "Nothing matches the filter")
	if w := b.ask("GET", "/en/notifications/deliveries"); w.Code != http.StatusForbidden {
		t.Errorf("an officer: %d", w.Code)
	}
	if w := r.browser(t).ask("GET", "/en/notifications/deliveries"); w.Code != http.StatusSeeOther {
		t.Errorf("nobody: %d", w.Code)
	}
	token, err := r.OperatorToken(t.Context(), "test", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/en/notifications/deliveries", nil)
	req.Header.Set("Authorization", "Bearer "+token)
	if w := r.browser(t).send(req); w.Code != http.StatusOK {
		t.Errorf("a token of the operator: %d", w.Code)
	}
}
