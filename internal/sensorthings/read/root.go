package read

import (
	"strings"

	"plateau/internal/sensorthings"
)

// Requirements is what all ids of requirements begin with.
const Requirements = "http://www.opengis.net/spec/iot_sensing/1.1/req/"

// Classes that are told with the endpoints of the broker.
const (
	mqttCreate  = Requirements + "create-observations-via-mqtt/observations-creation"
	mqttReceive = Requirements + "receive-updates-via-mqtt/receive-updates"
)

// conformance lists what reading fulfils, relative to Requirements.
var conformance = []string{
	"datamodel",
	"resource-path/resource-path-to-entities",
	"request-data",
}

// Root is what the service root tells beyond reading.
type Root struct {
	Conformance []string // further requirements, relative to Requirements or whole
	MQTT        []string // endpoints of the broker; empty = none
}

// root writes the service root document (clause 9.2.1).
func (e *env) root(r Root, out Output) error {
	out.Begin(Head{Type: jsonType, Single: true})
	b := []byte(`{"value":[`)
	for i, s := range sensorthings.Sets() {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"name":"`+s.String()+`","url":`...)
		b = append(AppendString(b, e.base+"/"+s.String()), '}')
	}
	b = append(b, `],"serverSettings":{"conformance":[`...)
	list := append(append([]string{}, conformance...), r.Conformance...)
	if len(r.MQTT) > 0 {
		list = append(list, mqttCreate, mqttReceive)
	}
	for i, id := range list {
		if i > 0 {
			b = append(b, ',')
		}
		if !strings.Contains(id, "://") {
			id = Requirements + id
		}
		b = AppendString(b, id)
	}
	b = append(b, ']')
	if len(r.MQTT) > 0 {
		for _, id := range []string{mqttCreate, mqttReceive} {
			b = append(member(b, id), `{"endpoints":[`...)
			for i, endpoint := range r.MQTT {
				if i > 0 {
					b = append(b, ',')
				}
				b = AppendString(b, endpoint)
			}
			b = append(b, "]}"...)
		}
	}
	_, err := out.Write(append(b, "}}"...))
	return err
}
