package app

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"time"

	"plateau/internal/platform/access"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/casenotice"
	"plateau/internal/platform/config"
	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/notify"
	"plateau/internal/telemetry/alarm"
	"plateau/internal/telemetry/notice"
)

// toldAccounts lists the accounts that can be told of something.
func toldAccounts(ctx context.Context, q db.Querier) ([]notify.Account, error) {
	list, err := auth.OpenAccounts(ctx, q)
	if err != nil {
		return nil, err
	}
	out := make([]notify.Account, len(list))
	for i := range list {
		out[i] = notify.Account{ID: list[i].ID, Grants: list[i].Grants()}
	}
	return out, nil
}

// notifications makes the part that tells people.
func notifications(c *config.Config, d *db.DB, areas func() access.Areas, now func() time.Time, log *slog.Logger) (*notify.Service, error) {
	// No try may outlast the lease of a delivery.
	senders := map[notify.Channel]notify.Sender{notify.Webhook: notify.NewHook(min(time.Duration(c.Webhooks.Timeout), time.Minute), c.Webhooks.AllowPrivate, now)}
	if m := c.Notify.SMTP; m.Host != "" {
		mailer, err := notify.NewMailer(notify.SMTPOptions{
			Host: m.Host, Port: m.Port, TLS: m.TLS, User: m.User, Password: m.Password, From: m.From, Timeout: time.Duration(m.Timeout),
		})
		if err != nil {
			return nil, err
		}
		senders[notify.Mail] = mailer
	}
	if g := c.Notify.SMS; g.URL != "" {
		gateway, err := notify.NewGateway(notify.SMSOptions{
			URL: g.URL, Headers: g.Headers, Body: g.Body, Secret: g.Secret, Accept: g.Accept, Timeout: time.Duration(g.Timeout), Now: now,
		})
		if err != nil {
			return nil, err
		}
		senders[notify.SMS] = gateway
	}
	return notify.New(notify.Options{
		DB: d, Kinds: slices.Concat(notice.Kinds(), casenotice.Kinds()), Accounts: toldAccounts, Areas: areas, Senders: senders, Now: now, Logger: log, BaseURL: c.HTTP.URL, Private: c.Webhooks.AllowPrivate,
		GiveUp: time.Duration(c.Notify.GiveUp), Keep: time.Duration(c.Notify.Keep), Workers: c.Notify.Workers,
	})
}

// openNotify makes what tells people of alarms.
func (a *App) openNotify() (err error) {
	if a.notify, err = notifications(&a.c, a.db, func() access.Areas { return a.registry.Snapshot() }, a.now, a.log); err != nil {
		return err
	}
	a.notices, err = notice.New(notice.Options{DB: a.db, Notify: a.notify, Registry: a.registry, Now: a.now, Logger: a.log})
	return err
}

// alarmsChanged notes what became of alarms, for programs, for people and for cases. While
// the history of a demonstration is filled in, nobody is told of it.
func (a *App) alarmsChanged(ctx context.Context, tx *db.Tx, changes []alarm.Change) error {
	if err := a.events.Alarms(ctx, tx, changes); err != nil {
		return err
	}
	if a.filled != nil {
		select {
		case <-a.filled:
		default:
			return nil
		}
	}
	if err := a.notices.Alarms(ctx, tx, changes); err != nil {
		return err
	}
	return a.overseer.Alarms(ctx, tx, changes)
}

// unread counts what who sends a request has not read.
func (a *App) unread(r *http.Request) int {
	n, err := a.notify.Unread(r.Context(), auth.From(r.Context()).ID)
	if err != nil {
		a.log.WarnContext(r.Context(), "notifications could not be counted", slog.Any("error", err))
	}
	return n
}

// NotifyOrder is what a command asks of notifications: a test to an account over
// a channel.
type NotifyOrder struct{ To, Channel string }

func (o *NotifyOrder) query() url.Values { return url.Values{"to": {o.To}, "channel": {o.Channel}} }

func (a *App) orderNotify(ctx context.Context, q url.Values, _ func(done, total int64)) (any, error) {
	o := NotifyOrder{To: q.Get("to"), Channel: q.Get("channel")}
	return o.do(ctx, a.auth, a.notify)
}

// NotifyTest sends a test: the running server does it, or, when there is none,
// this process. Of o it takes the configuration.
func NotifyTest(ctx context.Context, o Options, order NotifyOrder) (out notify.Delivery, err error) {
	err = ordered(ctx, &o, "notify-test", "accounts", order.query(), &out, func(ctx context.Context, c *config.Config, d *db.DB, now func() time.Time) error {
		nowhere := func() access.Areas { return noAreas{} } // a test is about nothing
		s, err := notifications(c, d, nowhere, now, nil)
		if err != nil {
			return err
		}
		out, err = order.do(ctx, auth.New(d, now, auth.Options{}), s)
		return err
	})
	return out, err
}

type noAreas struct{}

// Within implements access.Areas.
func (noAreas) Within(_, _ string) bool { return false }

// do carries the order out. Errors are worded in English: a shell reads them.
func (o *NotifyOrder) do(ctx context.Context, accounts *auth.Service, s *notify.Service) (out notify.Delivery, err error) {
	defer func() { err = worded(err) }()
	u, err := accounts.UserByLogin(ctx, o.To)
	if errs.Is(err, errs.NotFound) {
		return out, fmt.Errorf("there is no account %q; \"plateau user list\" shows them", o.To)
	}
	if err != nil {
		return out, err
	}
	return s.Test(ctx, u.ID, notify.Channel(o.Channel))
}
