// Package events is the one source of what happened to alarms and to the states
// of outlets, for programs that follow it (webhooks, MQTT, the JSON interface).
//
// It owns the log of events: a table in the relational database whose rows are
// written in the transaction of what they tell of, numbered in the order of the
// commits. Who reads on from a cursor misses nothing, also across a restart.
// States of outlets are not stored anywhere else: Follow compares those that the
// judgement gives with the last ones an event told.
//
// The JSON form of an event is event.schema.json (JSON Schema 2020-12). The
// package delivers nothing and judges nothing.
package events
