package app

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"plateau/internal/platform/notify"
	"plateau/internal/sensorthings/mqtt"
	"plateau/internal/telemetry/alarm"
	"plateau/internal/telemetry/webhook"
)

// toldMetrics shows to Prometheus what there is to be told, and how it is told:
// alarms, webhooks, notifications and MQTT.
type toldMetrics struct {
	alarms *alarm.Service
	hooks  *webhook.Service
	notify *notify.Service
	broker *mqtt.Broker // nil = no MQTT
}

var (
	mAlarms      = gauge("alarms_open", "Open alarms that stand for themselves, by severity.", "severity")
	mUnacked     = gauge("alarms_unacknowledged", "Open alarms that somebody has to act on and nobody has taken note of.")
	mDeliveries  = counter("webhook_deliveries_total", "Deliveries of webhooks since the start, by what became of them.", "outcome")
	mHookDropped = counter("webhook_events_dropped_total", "Events that were no longer kept when the turn of a webhook came to them.")
	mHookWaiting = gauge("webhook_events_waiting", "Events that the webhook furthest behind has yet to look at.")
	mHookFailing = gauge("webhooks_failing", "Webhooks whose last delivery failed.")
	mHookPaused  = gauge("webhooks_paused", "Webhooks that are paused.")
	mNotified    = counter("notify_deliveries_total", "Mails, requests and short messages to people since the start, by what became of them.", "outcome")
	mNotifyWaits = gauge("notify_deliveries_waiting", "Those whose time has come and that could not be handed over yet.")
	mClients     = gauge("mqtt_connections", "Clients of MQTT connected now.")
	mTopics      = gauge("mqtt_topics", "Topics that clients of MQTT asked for.")
	mSent        = counter("mqtt_sent_total", "Messages sent to clients of MQTT.")
	mPublished   = counter("mqtt_published_total", "Observations that clients of MQTT published.")
	mDenied      = counter("mqtt_refused_total", "Connections, subscriptions and publications of MQTT that were refused.")
	mSlow        = counter("mqtt_slow_total", "Clients of MQTT that were let go because they took their messages too slowly.")
	mLost        = counter("mqtt_lost_total", "Changes that were not announced over MQTT because too many came at once.")
)

// Describe implements prometheus.Collector.
func (*toldMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, m := range []metric{mAlarms, mUnacked, mDeliveries, mHookDropped, mHookWaiting, mHookFailing, mHookPaused, mNotified, mNotifyWaits, mClients, mTopics, mSent, mPublished, mDenied, mSlow, mLost} {
		ch <- m.desc
	}
}

// Collect implements prometheus.Collector.
func (c *toldMetrics) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	put := func(m metric, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(m.desc, m.kind, v, labels...)
	}
	if n, err := c.alarms.Count(ctx, alarm.Filter{Open: new(true)}); err != nil {
		ch <- prometheus.NewInvalidMetric(mAlarms.desc, err)
	} else {
		put(mAlarms, float64(n.Act), string(alarm.Act))
		put(mAlarms, float64(n.Warn), string(alarm.Warn))
		put(mUnacked, float64(n.Unacked))
	}
	if w, err := c.hooks.Stats(ctx); err != nil {
		ch <- prometheus.NewInvalidMetric(mDeliveries.desc, err)
	} else {
		put(mDeliveries, float64(w.Done), webhook.Done)
		put(mDeliveries, float64(w.Retried), webhook.Retry)
		put(mDeliveries, float64(w.GivenUp), webhook.GaveUp)
		put(mHookDropped, float64(w.Dropped))
		put(mHookWaiting, float64(w.Waiting))
		put(mHookFailing, float64(w.Failing))
		put(mHookPaused, float64(w.Paused))
	}
	if n, err := c.notify.Stats(ctx); err != nil {
		ch <- prometheus.NewInvalidMetric(mNotified.desc, err)
	} else {
		put(mNotified, float64(n.Sent), notify.Sent)
		put(mNotified, float64(n.Retried), "retry")
		put(mNotified, float64(n.Failed), notify.Failed)
		put(mNotified, float64(n.GivenUp), notify.GivenUp)
		put(mNotifyWaits, float64(n.Waiting))
	}
	if c.broker == nil {
		return
	}
	m := c.broker.Stats()
	put(mClients, float64(m.Clients))
	put(mTopics, float64(m.Topics))
	put(mSent, float64(m.Sent))
	put(mPublished, float64(m.Created))
	put(mDenied, float64(m.Refused))
	put(mSlow, float64(m.Slow))
	put(mLost, float64(m.Lost))
}
