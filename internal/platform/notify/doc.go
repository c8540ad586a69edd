// Package notify tells people what concerns them: on a page, by mail, by a
// request to an address of theirs, by short message.
//
// It owns notifications (a row for each recipient, written in the transaction of
// what it tells of, under a key that makes it once), deliveries (what goes out
// over a channel: taken under a lease, tried again, given up after a time), and
// how each account wants to be told. Tell is called by modules; Run delivers.
//
// Once means: a key makes one notification for each recipient, whatever happens.
// Over a channel it means at least once: what was handed over and could not be
// noted any more is sent again with the same id (Message-ID, Webhook-Id,
// Idempotency-Key), see docs/notifications.md.
//
// It knows no module: what a notification says is a key of the catalogue with
// its words, and whom it may be told is a permission and an object of package
// access. It reads the accounts through Options.Accounts.
package notify
