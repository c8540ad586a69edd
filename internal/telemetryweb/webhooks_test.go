package telemetryweb

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"plateau/internal/platform/errs"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/events"
	"plateau/internal/telemetry/webhook"
)

const testHook = "0193f6a0-0000-7000-8000-00000000000a"

// fakeWebhooks holds subscriptions in memory; an address that does not begin
// with https:// is refused.
type fakeWebhooks struct {
	list []webhook.Hook
	sent []webhook.Delivery
}

func newWebhooks() *fakeWebhooks {
	return &fakeWebhooks{
		list: []webhook.Hook{{
			ID: testHook, URL: "https://example.org/hook?key=hidden", Kinds: []events.Kind{events.AlarmRaised}, Areas: []string{"540000"}, Outlets: []telemetry.OutletID{1}, Secret: "whsec_c2VjcmV0",
			Version: 3, Created: testNow.Add(-time.Hour), Updated: testNow.Add(-time.Hour), ByPost: "系统管理员（示例）", Tries: 2, NextTry: testNow.Add(time.Minute), GivenUp: 1,
		}},
		sent: []webhook.Delivery{
			{ID: "2", Event: "e2", Kind: string(events.AlarmRaised), At: testNow, Try: 2, Status: 500, Took: 12 * time.Millisecond, Outcome: webhook.Retry, Fault: "answered 500 Internal Server Error"},
			{ID: "1", Kind: webhook.TestKind, At: testNow.Add(-time.Minute), Try: 1, Status: 204, Outcome: webhook.Done},
		},
	}
}

func (f *fakeWebhooks) List(context.Context) ([]webhook.Hook, error) { return f.list, nil }

func (f *fakeWebhooks) find(id string) (*webhook.Hook, error) {
	for i := range f.list {
		if f.list[i].ID == id {
			return &f.list[i], nil
		}
	}
	return nil, errs.New(errs.NotFound, "")
}

func (f *fakeWebhooks) Get(_ context.Context, id string) (webhook.Hook, error) {
	h, err := f.find(id)
	if err != nil {
		return webhook.Hook{}, err
	}
	return *h, nil
}

func checkHook(h *webhook.Hook) error {
	if !strings.HasPrefix(h.URL, "https://") {
		return errs.InvalidField("url", "webhook.err.https")
	}
	return nil
}

func (f *fakeWebhooks) Add(_ context.Context, h webhook.Hook) (webhook.Hook, error) {
	if err := checkHook(&h); err != nil {
		return h, err
	}
	h.ID, h.Version, h.Created, h.Updated = fmt.Sprintf("0193f6a0-0000-7000-8000-0000000000%02d", len(f.list)), 1, testNow, testNow
	if h.Secret == "" {
		h.Secret = "whsec_bmV3"
	}
	f.list = append(f.list, h)
	return h, nil
}

func (f *fakeWebhooks) Change(_ context.Context, id string, version int64, edit func(h *webhook.Hook)) (webhook.Hook, error) {
	h, err := f.find(id)
	if err != nil {
		return webhook.Hook{}, err
	}
	if version != 0 && version != h.Version {
		return *h, fmt.Errorf("%w: %w", webhook.ErrChanged, errs.New(errs.Conflict, "webhook.err.changed"))
	}
	is := *h
	edit(&is)
	if err := checkHook(&is); err != nil {
		return is, err
	}
	is.Version++
	*h = is
	return is, nil
}

func (f *fakeWebhooks) Delete(ctx context.Context, id string, version int64) error {
	h, err := f.Get(ctx, id)
	if err != nil {
		return err
	}
	if version != 0 && version != h.Version {
		return fmt.Errorf("%w: %w", webhook.ErrChanged, errs.New(errs.Conflict, "webhook.err.changed"))
	}
	f.list = nil
	return nil
}

func (f *fakeWebhooks) Test(ctx context.Context, id string) (webhook.Delivery, error) {
	if _, err := f.Get(ctx, id); err != nil {
		return webhook.Delivery{}, err
	}
	return webhook.Delivery{ID: "3", Kind: webhook.TestKind, At: testNow, Try: 1, Status: 204, Outcome: webhook.Done}, nil
}

func (f *fakeWebhooks) Deliveries(context.Context, string) ([]webhook.Delivery, error) {
	return f.sent, nil
}

func TestWebhookPages(t *testing.T) {
	t.Parallel()
	r := newRig(t, 4)
	one := "/zh/webhooks/" + testHook
	for _, s := range []scenario{
		{name: "officers do not", actor: "officer", target: "/zh/webhooks", status: 403},
		{name: "nor enterprises", actor: "enterprise", target: one, form: formOf("act", "delete"), status: 403},
		{name: "list", actor: "operator", target: "/zh/webhooks", status: 200, contains: []string{"https://example.org/hook?…", "未送达，已试 2 次", "报警产生", "西藏自治区"}, lacks: []string{"key=hidden"}},
		{name: "one", actor: "operator", target: one, status: 200, contains: []string{"HTTP 500", "answered 500 Internal Server Error", "1 条事件未能送达", "whsec_c2VjcmV0"}},
		{name: "none such", actor: "operator", target: "/zh/webhooks/x", status: 404},
		{name: "bad address", actor: "operator", target: "/zh/webhooks", form: formOf("url", "http://x", "areas", "1 2"), status: 422, contains: []string{"以 https:// 开头", `value="http://x"`, `value="1 2"`}},
		{name: "no outlets", actor: "operator", target: "/zh/webhooks", form: formOf("url", "https://example.org/2", "areas", "540100，540200", "outlets", "2, W-3 4x"), status: 422, contains: []string{"没有排放口 W-3", "没有排放口 4x", `value="2, W-3 4x"`, `value="540100，540200"`}, lacks: []string{"4294967295"}},
		{name: "saved with no outlet", actor: "operator", target: one, form: formOf("act", "save", "version", "3", "url", "https://example.org/3", "outlets", "0"), status: 422, contains: []string{"没有排放口 0", `value="0"`}},
		{name: "added", actor: "operator", target: "/zh/webhooks", form: url.Values{"url": {"https://example.org/2"}, "kinds": {"alarm.raised", "outlet.state"}, "outlets": {"1, 2"}}, status: 303},
		{name: "test", actor: "operator", target: one, form: formOf("act", "test"), status: 303, location: one},
		{name: "pause", actor: "operator", target: one, form: formOf("act", "pause"), status: 303, location: one},
		{name: "saved after somebody else", actor: "operator", target: one, form: formOf("act", "save", "version", "1", "url", "https://example.org/"), status: 409, contains: []string{"刚被他人修改"}},
		{name: "saved", actor: "operator", target: one, form: formOf("act", "save", "version", "4", "url", "https://example.org/3"), status: 303},
		{name: "saved with a bad address", actor: "operator", target: one, form: formOf("act", "save", "url", "x"), status: 422, contains: []string{"以 https:// 开头"}},
		{name: "no such button", actor: "operator", target: one, form: formOf("act", "x"), status: 400},
		{name: "delete", actor: "operator", target: one, form: formOf("act", "delete"), status: 303, location: "/zh/webhooks"},
		{name: "empty", actor: "operator", target: "/zh/webhooks", status: 200, contains: []string{"尚无通知对象"}},
	} {
		t.Run(s.name, func(t *testing.T) { s.run(t, r) })
	}
	r.Webhooks = nil
	if w := r.ask("operator", http.MethodGet, "/zh/webhooks", nil); w.Code != http.StatusNotFound {
		t.Errorf("without the service: %d", w.Code)
	}
}
