package mqtt

import (
	"net"
	"reflect"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"plateau/internal/sensorthings"
)

// raw is a client that decides itself what it sends and under which number.
type raw struct {
	testing.TB
	net.Conn
	messages map[uint16]bool // heard with QoS 1
}

func newRaw(tb testing.TB, c net.Conn) *raw {
	tb.Helper()
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		tb.Fatal(err)
	}
	return &raw{tb, c, map[uint16]bool{}}
}

func (c *raw) send(p packets.ControlPacket) {
	c.Helper()
	if err := p.Write(c.Conn); err != nil {
		c.Fatal(err)
	}
}

func (c *raw) read() packets.ControlPacket {
	c.Helper()
	p, err := packets.ReadPacket(c.Conn)
	if err != nil {
		c.Fatal(err)
	}
	if m, ok := p.(*packets.PublishPacket); ok && m.Qos > 0 {
		if c.messages[m.MessageID] {
			c.Fatalf("message %d twice", m.MessageID)
		}
		c.messages[m.MessageID] = true
	}
	return p
}

// want reads the next packet that is no message.
func (c *raw) want(kind byte, id uint16) {
	c.Helper()
	p := c.read()
	for is[*packets.PublishPacket](p) {
		p = c.read()
	}
	if reflect.TypeOf(p) != reflect.TypeOf(packets.NewControlPacket(kind)) || p.Details().MessageID != id {
		c.Fatalf("%s, want %s %d", p, packets.PacketNames[kind], id)
	}
	if s, ok := p.(*packets.SubackPacket); ok && s.ReturnCodes[0] > 1 {
		c.Fatalf("subscription %d was refused", id)
	}
}

func is[T packets.ControlPacket](p packets.ControlPacket) bool { _, ok := p.(T); return ok }

func (c *raw) subscribe(id uint16, topic string) {
	c.Helper()
	p := packets.NewControlPacket(packets.Subscribe).(*packets.SubscribePacket)
	p.MessageID, p.Topics, p.Qoss = id, []string{topic}, []byte{1}
	c.send(p)
	c.want(packets.Suback, id)
}

func (c *raw) publish(id uint16, qos byte) {
	c.Helper()
	p := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	p.MessageID, p.Qos, p.TopicName, p.Payload = id, qos, "v1.1/Observations", []byte(`{"result":1}`)
	c.send(p)
	if qos == 1 {
		c.want(packets.Puback, id)
	} else {
		c.want(packets.Pubrec, id)
	}
}

func (c *raw) release(id uint16) {
	c.Helper()
	p := packets.NewControlPacket(packets.Pubrel).(*packets.PubrelPacket)
	p.MessageID = id
	c.send(p)
	c.want(packets.Pubcomp, id)
}

func (r *rig) madeSoFar() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.made)
}

// A client numbers its requests as it likes, also as the messages that it has not
// confirmed yet, and gets the answers under its own numbers.
func TestNumbers(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	c := newRaw(t, r.dial(t, 60))                      // subscribes to v1.1/Observations with QoS 0 as packet 1
	c.subscribe(1, "v1.1/Observations?$select=result") // told with QoS 1
	for range 20 {
		r.Announce([]sensorthings.Change{r.observation(7)}, 0)
	}
	for len(c.messages) < 20 { // none is confirmed
		c.read()
	}
	for id := uint16(1); id <= 20; id++ {
		if !c.messages[id] {
			t.Fatalf("no message %d: %v", id, c.messages)
		}
		c.subscribe(id, "v1.1/Things(1)/Datastreams")
		u := packets.NewControlPacket(packets.Unsubscribe).(*packets.UnsubscribePacket)
		u.MessageID, u.Topics = id, []string{"v1.1/Things(1)/Datastreams"}
		c.send(u)
		c.want(packets.Unsuback, id)
		c.publish(id, 1)
		c.publish(id, 2)
		c.release(id)
	}
	if made := r.madeSoFar(); made != 40 {
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

// A publication of QoS 2 that a broken connection interrupts is finished in the
// next one and made once; others are not taken for it.
func TestNumbersOutliveAConnection(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	connect := func(clean bool) *raw {
		t.Helper()
		nc, err := net.Dial("tcp", r.addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = nc.Close() })
		c := newRaw(t, nc)
		p := packets.NewControlPacket(packets.Connect).(*packets.ConnectPacket)
		p.ProtocolName, p.ProtocolVersion, p.Keepalive, p.CleanSession, p.ClientIdentifier = "MQTT", 4, 60, clean, "lasting"
		p.UsernameFlag, p.Username, p.PasswordFlag, p.Password = true, "u", true, []byte("op")
		c.send(p)
		if a, ok := c.read().(*packets.ConnackPacket); !ok || a.ReturnCode != 0 {
			t.Fatalf("not connected: %v", a)
		}
		return c
	}
	first := connect(false)
	first.publish(5, 2)
	_ = first.Close()
	again := connect(false)
	again.want(packets.Pubrec, 5) // the server repeats it
	again.publish(5, 2)           // as a client does that has not heard it
	if made := r.madeSoFar(); made != 1 {
		t.Errorf("%d observations were made of one publication", made)
	}
	again.publish(6, 2)
	again.subscribe(7, "v1.1/Things(1)/Datastreams")
	again.release(5)
	again.release(6)
	if made := r.madeSoFar(); made != 2 {
		t.Errorf("%d observations were made of two publications", made)
	}
	again.publish(8, 2)
	_ = again.Close()
	fresh := connect(true) // the session is over, and its numbers are
	fresh.publish(8, 2)
	fresh.release(8)
	if made := r.madeSoFar(); made != 4 {
		t.Errorf("%d observations were made of four publications", made)
	}
	_ = fresh.Close()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		r.Broker.mu.RLock()
		n := len(r.numbers)
		r.Broker.mu.RUnlock()
		if n == 0 {
			return
		}
	}
	t.Error("numbers of sessions that are over are kept")
}
