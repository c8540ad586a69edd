package telemetryweb

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/httpd"
	"plateau/internal/platform/outbound"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/events"
	"plateau/internal/telemetry/webhook"
)

func toAPIWebhook(h *webhook.Hook) apiWebhook {
	out := apiWebhook{
		ID: h.ID, URL: h.URL, Kinds: []string{}, Areas: h.Areas, Outlets: h.Outlets, Note: h.Note, Paused: h.Paused, Cursor: events.Cursor(h.Next), Tries: h.Tries, NextTry: isoOf(h.NextTry),
		GivenUp: h.GivenUp, Created: isoOf(h.Created), Modified: isoOf(h.Updated), By: h.ByPost,
	}
	for _, k := range h.Kinds {
		out.Kinds = append(out.Kinds, string(k))
	}
	if out.Areas == nil {
		out.Areas = []string{}
	}
	if out.Outlets == nil {
		out.Outlets = []telemetry.OutletID{}
	}
	return out
}

// put sets what a program gave.
func (in *apiWebhookInput) put(h *webhook.Hook) {
	set(&h.URL, in.URL)
	set(&h.Areas, in.Areas)
	set(&h.Outlets, in.Outlets)
	set(&h.Note, in.Note)
	set(&h.Paused, in.Paused)
	if in.Secret != nil {
		h.Secret = outbound.Secret(*in.Secret)
	}
	if in.Kinds != nil {
		h.Kinds = nil
		for _, k := range *in.Kinds {
			h.Kinds = append(h.Kinds, events.Kind(k))
		}
	}
}

func set[T any](into, from *T) {
	if from != nil {
		*into = *from
	}
}

func (h *Handler) apiWebhooks(c *call) error {
	if h.Webhooks == nil {
		return notFound()
	}
	list, err := h.Webhooks.List(c.ctx())
	if err != nil {
		return err
	}
	out := apiWebhooks{Webhooks: []apiWebhook{}}
	for i := range list {
		out.Webhooks = append(out.Webhooks, toAPIWebhook(&list[i]))
	}
	return c.answer(out)
}

func (h *Handler) apiWebhookAdd(c *call) error {
	if h.Webhooks == nil {
		return notFound()
	}
	var in apiWebhookInput
	if err := c.body(&in, false); err != nil {
		return err
	}
	hook := webhook.Hook{ByPost: c.actor.Post}
	in.put(&hook)
	hook, err := h.Webhooks.Add(c.ctx(), hook)
	if err != nil {
		return err
	}
	c.w.Header().Set("Location", "/api/v1/webhooks/"+hook.ID)
	out := toAPIWebhook(&hook)
	out.Secret = string(hook.Secret)
	return c.jsonAs(http.StatusCreated, out)
}

// oneWebhook answers with a webhook.
func (h *Handler) oneWebhook(c *call, hook *webhook.Hook) error {
	c.strong(hookTag(hook))
	return c.answer(toAPIWebhook(hook))
}

// hookTag is the number of a webhook's changes by people, and how far its
// deliveries have come.
func hookTag(h *webhook.Hook) string {
	return fmt.Sprintf("%d.%d.%d.%d.%d", h.Version, h.Next, h.Tries, h.GivenUp, db.Micros(h.NextTry))
}

// sameHook reports whether an If-Match names what people last made of a webhook:
// a delivery meanwhile does not get in the way of a change.
func sameHook(tag string, h *webhook.Hook) bool {
	version, _, _ := strings.Cut(tag, ".")
	return version == strconv.FormatInt(h.Version, 10)
}

func (h *Handler) apiWebhook(c *call) error {
	if h.Webhooks == nil {
		return notFound()
	}
	hook, err := h.Webhooks.Get(c.ctx(), c.r.PathValue("id"))
	if err != nil {
		return err
	}
	return h.oneWebhook(c, &hook)
}

// wanted checks If-Match and returns the version that a change is bound to.
func (h *Handler) wanted(c *call) (int64, error) {
	if h.Webhooks == nil {
		return 0, notFound()
	}
	hook, err := h.Webhooks.Get(c.ctx(), c.r.PathValue("id"))
	if err != nil {
		return 0, err
	}
	return hook.Version, c.match(func(tag string) bool { return sameHook(tag, &hook) })
}

// changedMeanwhile turns a change that came between check and act into 412.
func changedMeanwhile(err error) error {
	if errors.Is(err, webhook.ErrChanged) {
		return errs.Wrap(err, errs.Conflict, httpd.Precondition)
	}
	return err
}

func (h *Handler) apiWebhookChange(c *call) error {
	version, err := h.wanted(c)
	if err != nil {
		return err
	}
	var in apiWebhookInput
	if err := c.body(&in, false); err != nil {
		return err
	}
	hook, err := h.Webhooks.Change(c.ctx(), c.r.PathValue("id"), version, func(w *webhook.Hook) { in.put(w); w.ByPost = c.actor.Post })
	if err != nil {
		return changedMeanwhile(err)
	}
	return h.oneWebhook(c, &hook)
}

func (h *Handler) apiWebhookDelete(c *call) error {
	version, err := h.wanted(c)
	if err != nil {
		return err
	}
	if err := h.Webhooks.Delete(c.ctx(), c.r.PathValue("id"), version); err != nil {
		return changedMeanwhile(err)
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

func toAPIDelivery(d *webhook.Delivery) apiDelivery {
	return apiDelivery{ID: d.ID, Event: d.Event, Kind: d.Kind, At: isoOf(d.At), Try: d.Try, Status: d.Status, Took: d.Took.Milliseconds(), Outcome: d.Outcome, Fault: d.Fault}
}

func (h *Handler) apiWebhookTest(c *call) error {
	if h.Webhooks == nil {
		return notFound()
	}
	d, err := h.Webhooks.Test(c.ctx(), c.r.PathValue("id"))
	if err != nil {
		return err
	}
	return c.answer(toAPIDelivery(&d))
}

func (h *Handler) apiWebhookDeliveries(c *call) error {
	if h.Webhooks == nil {
		return notFound()
	}
	if _, err := h.Webhooks.Get(c.ctx(), c.r.PathValue("id")); err != nil {
		return err
	}
	list, err := h.Webhooks.Deliveries(c.ctx(), c.r.PathValue("id"))
	if err != nil {
		return err
	}
	out := apiDeliveries{Deliveries: []apiDelivery{}}
	for i := range list {
		out.Deliveries = append(out.Deliveries, toAPIDelivery(&list[i]))
	}
	return c.answer(out)
}
