package mqtt

import (
	"errors"
	"sync"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// Client and server number their packets each for itself (MQTT 3.1.1, 2.3.1), so
// a SUBSCRIBE may have the number of an observation that is on its way to the same
// client. The library keeps both in one table: it refuses such a SUBSCRIBE, and
// takes a PUBLISH for the confirmation of ours. So inside, messages have numbers up
// to maxMessage and requests have others, and the answer to a request has the
// client's number again.
const maxMessage = 1<<15 - 1

var errNumbers = errors.New("mqtt: no packet number is free")

// numbers are those of one session. Like the library's table they outlast a
// connection that breaks off, for a client that takes its session up again.
type numbers struct {
	users int // connections; the broker's lock guards it

	mu      sync.Mutex
	message uint16            // the last given
	request uint16            // the last given, less maxMessage+1
	inside  map[uint16]uint16 // of requests without answer, by the client's number
	outside map[uint16]uint16 // and back
}

// OnPacketRead implements mochi.Hook.
func (h *hook) OnPacketRead(cl *mochi.Client, pk packets.Packet) (packets.Packet, error) {
	switch pk.FixedHeader.Type {
	case packets.Subscribe, packets.Unsubscribe, packets.Pubrel:
	case packets.Publish:
		if pk.FixedHeader.Qos == 0 {
			return pk, nil
		}
	default:
		return pk, nil
	}
	if s := h.b.session(cl); s != nil && pk.PacketID != 0 {
		pk.PacketID = s.numbers.enter(pk.PacketID)
	}
	return pk, nil
}

// OnPacketEncode implements mochi.Hook.
func (h *hook) OnPacketEncode(cl *mochi.Client, pk packets.Packet) packets.Packet {
	switch pk.FixedHeader.Type {
	case packets.Suback, packets.Unsuback, packets.Puback, packets.Pubrec, packets.Pubcomp:
		if s := h.b.session(cl); s != nil {
			pk.PacketID = s.numbers.leave(pk.PacketID, pk.FixedHeader.Type != packets.Pubrec)
		}
	}
	return pk
}

// numbersOf returns the numbers of a client's session; clean begins a new one.
// The lock is held.
func (b *Broker) numbersOf(client string, clean bool) *numbers {
	n := b.numbers[client]
	if n == nil || clean {
		n = &numbers{}
		b.numbers[client] = n
	}
	n.users++
	return n
}

// forgetNumbers ends a session, unless another one has begun under the same
// identifier. The lock is held.
func (b *Broker) forgetNumbers(client string, n *numbers) {
	if b.numbers[client] == n {
		delete(b.numbers, client)
	}
}

// next returns a number for a message to the client.
func (n *numbers) next(taken func(id uint16) bool) (uint16, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for range maxMessage {
		if n.message = n.message%maxMessage + 1; !taken(n.message) {
			return n.message, nil
		}
	}
	return 0, errNumbers
}

// enter returns the number inside of a client's request; the same as long as it
// has no answer.
func (n *numbers) enter(id uint16) uint16 {
	n.mu.Lock()
	defer n.mu.Unlock()
	if in, ok := n.inside[id]; ok {
		return in
	}
	if n.inside == nil {
		n.inside, n.outside = map[uint16]uint16{}, map[uint16]uint16{}
	}
	for range maxMessage + 1 {
		n.request = (n.request + 1) % (maxMessage + 1)
		in := maxMessage + 1 + n.request
		if _, used := n.outside[in]; !used {
			n.inside[id], n.outside[in] = in, id
			return in
		}
	}
	return id // a client that has so many requests open may meet its own
}

// leave returns the client's number of a request; ends forgets it.
func (n *numbers) leave(in uint16, ends bool) uint16 {
	n.mu.Lock()
	defer n.mu.Unlock()
	id, ok := n.outside[in]
	if !ok {
		return in
	}
	if ends {
		delete(n.inside, id)
		delete(n.outside, in)
	}
	return id
}
