// Package mqtt is the broker built into the program (MQTT 3.1.1): it tells of
// what was made or changed under the topics of the SensorThings API (OGC 18-088,
// clause 14), takes observations published there, and tells of alarms and states.
//
// It owns who is connected, what they asked for and their queues. It renders
// nothing itself (package read does) and checks no observation (whoever creates
// them does). Nothing that clients publish is handed on as it came: subscribers
// get the stored entity. Sessions live in memory: a restart of the program ends
// them, and what happens while a client is away is not kept for it.
//
// Why this broker: docs/decisions/0011-mqtt.md.
package mqtt
