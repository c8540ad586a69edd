// Package webhook tells other programs of events by a request to an address of
// theirs, in the manner of Standard Webhooks: a POST of one event as JSON with
// the headers webhook-id, webhook-timestamp and webhook-signature (HMAC-SHA256
// over id, time and body).
//
// It owns the subscriptions, how far each has come in the log of events, and the
// record of the last deliveries, all in the relational database. Deliveries are
// at least once and in order per subscription: an event that fails is tried
// again, further and further apart, before the next one is sent, and given up
// after Options.GiveUp. How a request is made, signed and guarded is
// package outbound's.
package webhook
