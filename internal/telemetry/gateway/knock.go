package gateway

import (
	"sort"
	"sync"
	"time"

	"plateau/hj212"
)

// Knock is somebody who sends valid frames but may not: an unknown MN, or a
// known one with a wrong password or from a refused network. The frames that
// were kept are in the store under that MN (store.LastFrames).
type Knock struct {
	MN          string // "" when the frames name none that can be shown
	Reason      string // ReasonUnknown, ReasonPassword or ReasonNetwork: the last one
	ST          string // as sent last
	Version     string // 2005, 2017, 2025; "" when no Flag was sent
	Peer        string
	First, Last time.Time
	Count       int64    // frames
	Kept        int64    // of them kept
	Codes       []string // factor codes seen, at most 64
}

const maxKnocks = 512

type knocks struct {
	mu   sync.Mutex
	byMN map[string]*Knock
}

func (k *knocks) saw(mn, reason, peer string, p *hj212.Packet, kept bool, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := k.byMN[mn]
	if n == nil {
		if k.byMN == nil {
			k.byMN = map[string]*Knock{}
		}
		if len(k.byMN) >= maxKnocks {
			k.dropOldest()
		}
		n = &Knock{MN: mn, First: now}
		k.byMN[mn] = n
	}
	n.Reason, n.Peer, n.Last = reason, peer, now
	n.Count++
	if !kept { // a flood costs no more than the counting
		return
	}
	n.Kept++
	if !p.IsAck() {
		n.ST = readable(p.Bytes(p.ST))
	}
	if v, _, _, ok := p.FlagBits(); ok {
		n.Version = v.String()
	}
	n.Codes = factorCodes(p, n.Codes)
}

func (k *knocks) dropOldest() {
	var oldest *Knock
	for _, n := range k.byMN {
		if oldest == nil || n.Last.Before(oldest.Last) {
			oldest = n
		}
	}
	delete(k.byMN, oldest.MN)
}

func (k *knocks) forget(mn string) {
	k.mu.Lock()
	delete(k.byMN, mn)
	k.mu.Unlock()
}

// Knocking lists who knocks, the latest first. A logger that has been adopted
// or let in meanwhile is no longer in it.
func (g *Gateway) Knocking() []Knock {
	snap := g.o.Registry.Snapshot()
	k := &g.knocking
	k.mu.Lock()
	defer k.mu.Unlock()
	out := make([]Knock, 0, len(k.byMN))
	for mn, n := range k.byMN {
		src := g.sources.find(mn)
		if n.Reason == ReasonUnknown && snap.Devices[mn] != nil || src != nil && src.last.Load() > n.Last.UnixNano() {
			delete(k.byMN, mn)
			continue
		}
		c := *n
		c.Codes = append([]string(nil), n.Codes...)
		out = append(out, c)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Last.After(out[j].Last) })
	return out
}
