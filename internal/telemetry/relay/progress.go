package relay

import (
	"encoding/json"
	"maps"
	"slices"
)

// stretch is the groups behind From up to To.
type stretch struct{ From, To uint64 }

// progress is how far a target has come: everything up to Live is done but the
// stretches of Past, in which nothing is done but what Done says.
type progress struct {
	Live uint64
	Past []stretch         `json:",omitempty"` // in order, apart from each other, none empty
	Done map[uint64][]byte `json:",omitempty"` // by group that is not done as a whole: a bit for each frame

	// Behind is how many frames are to be sent yet of the groups up to Counted.
	Behind  int64
	Counted uint64 // 0 = not counted yet
}

// begin is the progress of a target that begins behind a group, at the tail of
// the journal of the moment.
func begin(behind, tail uint64) progress {
	p := progress{Live: tail}
	if behind < tail {
		p.Past = []stretch{{behind, tail}}
	}
	return p
}

func readProgress(text string) (p progress, err error) {
	err = json.Unmarshal([]byte(text), &p)
	return p, err
}

func (p *progress) text() string {
	b, err := json.Marshal(p)
	if err != nil {
		panic(err) // numbers and bytes
	}
	return string(b)
}

func (p *progress) clone() progress {
	c := *p
	c.Past, c.Done = slices.Clone(p.Past), maps.Clone(p.Done)
	return c
}

// pending are the stretches with something to do, up to tail.
func (p *progress) pending(tail uint64) []stretch {
	out := slices.Clone(p.Past)
	if p.Live < tail {
		out = append(out, stretch{p.Live, tail})
	}
	return out
}

// hasBit reports whether a frame of a group is done already.
func hasBit(bits []byte, i int) bool { return i/8 < len(bits) && bits[i/8]&(1<<(i%8)) != 0 }

func setBit(bits []byte, i int) []byte {
	for i/8 >= len(bits) {
		bits = append(bits, 0)
	}
	bits[i/8] |= 1 << (i % 8)
	return bits
}
