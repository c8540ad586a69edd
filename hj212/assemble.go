package hj212

import "time"

// Assembler follows split messages (拆分包): packets of equal MN, ST, CN,
// DataTime and PNUM. Values are delivered with each packet; the assembler only
// tells whether all came. It is not safe for concurrent use.
type Assembler struct {
	Timeout time.Duration // after which a message counts as incomplete; 0 = 100 s (10 × the default OverTime)
	Max     int           // messages followed at once; 0 = 1024
	open    map[string]*split
}

type split struct {
	seen  map[int]bool
	total int
	first time.Time
	done  bool // all came; kept until the timeout, since repeats are normal
}

// Progress tells how far a split message has come.
type Progress struct {
	Key       string // MN|ST|CN|DataTime|PNUM
	Got, Of   int
	Complete  bool // with this packet the last one came
	Duplicate bool // this packet had come before
	Odd       bool // PNO is zero or above PNUM: the data count, the numbering does not
}

// Add takes a packet received at now. ok is false when it is not part of a split message.
func (a *Assembler) Add(p *Packet, now time.Time) (pr Progress, ok bool) {
	pno, pnum := p.Part()
	if pnum < 2 || pnum > 9999 || pno < 0 { // PNUM has at most four digits
		return Progress{}, false
	}
	when, _ := p.Param("DataTime")
	key := string(p.Bytes(p.MN)) + "|" + string(p.Bytes(p.ST)) + "|" + string(p.Bytes(p.CN)) + "|" + string(when) + "|" + itoa(pnum)
	if pno == 0 || pno > pnum {
		return Progress{Key: key, Of: pnum, Odd: true}, true
	}
	if a.open == nil {
		a.open = map[string]*split{}
	}
	s := a.open[key]
	if s == nil {
		limit := a.Max
		if limit == 0 {
			limit = 1024
		}
		if len(a.open) >= limit {
			a.forgetDone()
		}
		if len(a.open) >= limit {
			return Progress{Key: key, Got: 1, Of: pnum}, true
		}
		s = &split{seen: map[int]bool{}, total: pnum, first: now}
		a.open[key] = s
	}
	pr = Progress{Key: key, Of: pnum, Duplicate: s.seen[pno]}
	s.seen[pno] = true
	pr.Got = len(s.seen)
	pr.Complete = pr.Got == s.total && !s.done
	s.done = s.done || pr.Complete
	return pr, true
}

// forgetDone makes room by forgetting what was complete.
func (a *Assembler) forgetDone() {
	for key, s := range a.open {
		if s.done {
			delete(a.open, key)
		}
	}
}

// Incomplete returns, and forgets, the messages that did not complete in time.
func (a *Assembler) Incomplete(now time.Time) []Progress {
	timeout := a.Timeout
	if timeout == 0 {
		timeout = 100 * time.Second
	}
	var out []Progress
	for key, s := range a.open {
		if now.Sub(s.first) >= timeout {
			if !s.done {
				out = append(out, Progress{Key: key, Got: len(s.seen), Of: s.total})
			}
			delete(a.open, key)
		}
	}
	return out
}
