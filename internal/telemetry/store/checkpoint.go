package store

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"time"
)

// Checkpoint makes a consistent copy of the tree in dir, which must not exist,
// by hard links where the file system has them. What was acknowledged before it
// is in it.
func (s *Store) Checkpoint(dir string) error {
	e, err := s.use()
	if err != nil {
		return err
	}
	defer e.Release()
	var outcome error // a full disk at dir is no fault of the tree
	err = e.Do(func() error {
		outcome = e.DB.Checkpoint(dir)
		return nil
	})
	if err != nil {
		return err
	}
	return outcome
}

// GroupHash returns the hash of a group in the journal's chain.
func (s *Store) GroupHash(seq uint64) ([hashLen]byte, error) {
	_, hash, err := s.content(seq, false)
	return hash, err
}

// VerifyChain reads the journal and recomputes its hash chain, without a look
// at rows and index as Verify has it. progress (may be nil) gets the groups and
// bytes read, about every second.
func (s *Store) VerifyChain(ctx context.Context, progress func(groups, bytes int64)) (Report, error) {
	var r Report
	e, err := s.use()
	if err != nil {
		return r, err
	}
	defer e.Release()
	var c chain
	bytes, told := int64(0), s.opt.Now()
	err = s.walk(ctx, e.DB, 1, math.MaxUint64, func(seq uint64, value []byte) (bool, error) {
		bytes += int64(len(value))
		if content := c.next(&r, seq, value); content != nil {
			n, k := binary.Uvarint(content)
			if k <= 0 || n > uint64(len(content)) {
				r.fault("group %d: %v", seq, errGroup)
			}
			r.Frames += int64(n)
		}
		if now := s.opt.Now(); progress != nil && now.Sub(told) >= time.Second {
			progress(r.Groups, bytes)
			told = now
		}
		return true, nil
	})
	return r, err
}

// chain follows the groups of a journal.
type chain struct{ last uint64 }

// next checks that a group follows from the one before and returns its content,
// nil when it cannot be opened.
func (c *chain) next(r *Report, seq uint64, value []byte) []byte {
	if seq != c.last+1 {
		r.fault("group %d is missing", c.last+1)
	}
	c.last = seq
	content, hash, err := openGroup(value)
	if err != nil {
		r.fault("group %d: %v", seq, err)
		return nil
	}
	h := sha256.New()
	h.Write(r.Head[:])
	h.Write(content)
	if [hashLen]byte(h.Sum(nil)) != hash {
		r.fault("group %d does not follow from the one before: it or an earlier one was changed", seq)
	}
	r.Head = hash
	r.Groups++
	return content
}
