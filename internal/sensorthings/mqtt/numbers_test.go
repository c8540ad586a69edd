package mqtt

import (
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"plateau/internal/sensorthings"
)

// A client numbers its requests as it likes, also as the messages that it has not
// confirmed yet, and gets the answers under its own numbers.
func TestNumbers(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	c := r.dial(t, 60) // subscribes to v1.1/Observations with QoS 0 as packet 1
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	messages := map[uint16]bool{}
	send := func(p packets.ControlPacket) {
		t.Helper()
		if err := p.Write(c); err != nil {
			t.Fatal(err)
		}
	}
	// heard returns the next packet that is no message.
	heard := func() packets.ControlPacket {
		t.Helper()
		for {
			p, err := packets.ReadPacket(c)
			if err != nil {
				t.Fatal(err)
			}
			m, ok := p.(*packets.PublishPacket)
			if !ok {
				return p
			}
			if m.Qos > 0 {
				if messages[m.MessageID] {
					t.Fatalf("message %d twice", m.MessageID)
				}
				messages[m.MessageID] = true
			}
		}
	}
	want := func(kind byte, id uint16) packets.ControlPacket {
		t.Helper()
		p := heard()
		if d := p.Details(); d.MessageID != id {
			t.Fatalf("%s: want packet %d", p, id)
		}
		switch p := p.(type) {
		case *packets.SubackPacket:
			if kind != packets.Suback || p.ReturnCodes[0] > 1 {
				t.Fatal(p)
			}
		case *packets.UnsubackPacket:
			if kind != packets.Unsuback {
				t.Fatal(p)
			}
		case *packets.PubackPacket:
			if kind != packets.Puback {
				t.Fatal(p)
			}
		case *packets.PubrecPacket:
			if kind != packets.Pubrec {
				t.Fatal(p)
			}
		case *packets.PubcompPacket:
			if kind != packets.Pubcomp {
				t.Fatal(p)
			}
		default:
			t.Fatal(p)
		}
		return p
	}
	subscribe := func(id uint16, topic string) {
		p := packets.NewControlPacket(packets.Subscribe).(*packets.SubscribePacket)
		p.MessageID, p.Topics, p.Qoss = id, []string{topic}, []byte{1}
		send(p)
		want(packets.Suback, id)
	}
	subscribe(1, "v1.1/Observations?$select=result") // told with QoS 1
	for range 20 {
		r.Announce([]sensorthings.Change{r.observation(7)}, 0)
	}
	for len(messages) < 20 { // none is confirmed
		p, err := packets.ReadPacket(c)
		if err != nil {
			t.Fatal(err)
		}
		if m, ok := p.(*packets.PublishPacket); ok && m.Qos > 0 {
			messages[m.MessageID] = true
		}
	}
	for id := uint16(1); id <= 20; id++ {
		if !messages[id] {
			t.Fatalf("no message %d: %v", id, messages)
		}
		subscribe(id, "v1.1/Things(1)/Datastreams")
		u := packets.NewControlPacket(packets.Unsubscribe).(*packets.UnsubscribePacket)
		u.MessageID, u.Topics = id, []string{"v1.1/Things(1)/Datastreams"}
		send(u)
		want(packets.Unsuback, id)
		for qos := byte(1); qos <= 2; qos++ {
			p := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
			p.MessageID, p.Qos, p.TopicName, p.Payload = id, qos, "v1.1/Observations", []byte(`{"result":1}`)
			send(p)
			if qos == 1 {
				want(packets.Puback, id)
				continue
			}
			want(packets.Pubrec, id)
			rel := packets.NewControlPacket(packets.Pubrel).(*packets.PubrelPacket)
			rel.MessageID = id
			send(rel)
			want(packets.Pubcomp, id)
		}
	}
	r.mu.Lock()
	made := len(r.made)
	r.mu.Unlock()
	if made != 40 {
		t.Errorf("%d of 40 observations were made", made)
	}
	r.Broker.mu.RLock()
	defer r.Broker.mu.RUnlock()
	for cl, s := range r.sessions {
		if n := cl.State.Inflight.Len(); n < 20 || len(s.numbers.inside)+len(s.numbers.outside) > 0 {
			t.Errorf("%d messages wait for a confirmation; requests without answer: %v", n, s.numbers.inside)
		}
	}
}
