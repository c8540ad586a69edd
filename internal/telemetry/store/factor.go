package store

import (
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"plateau/internal/telemetry"
)

// FactorScan says which records Factor reads.
type FactorScan struct {
	Outlet   telemetry.OutletID
	Kind     telemetry.Kind
	From, To int64                  // DataTime in [From, To), Unix seconds
	Match    func(code string) bool // the codes of one factor
	Newest   bool                   // the latest first
}

// Factor calls fn with the records of a stretch, parts united, as Records does,
// but with the values of one factor only, until it returns false: a record that
// has none of it comes without values. Parts are those that hold the factor,
// received and re-sent are said of the last of them. The record is reused.
//
// It is several times faster than Records where one factor of many is wanted:
// the others' numbers are passed over.
func (s *Store) Factor(sc FactorScan, fn func(*telemetry.Record) bool) error {
	if sc.To <= sc.From {
		return nil
	}
	e, err := s.use()
	if err != nil {
		return err
	}
	defer e.Release()
	it, err := e.DB.NewIter(&pebble.IterOptions{LowerBound: seriesTime(nil, sc.Outlet, sc.Kind, sc.From), UpperBound: seriesTime(nil, sc.Outlet, sc.Kind, sc.To)})
	if err != nil {
		return err
	}
	defer it.Close()
	u := united{newest: sc.Newest}
	cut := column{s: s, match: sc.Match}
	step, ok := it.Next, it.First()
	if sc.Newest {
		step, ok = it.Prev, it.Last()
	}
	for ; ok; ok = step() {
		key := it.Key()
		if len(key) != seriesKeyLen {
			return fmt.Errorf("%w: key %x", errRow, key)
		}
		at := atOf(key[6:])
		if u.open && at != u.rec.At {
			if !fn(&u.rec) {
				return damaged(it.Error())
			}
			u.open = false
		}
		if !u.open {
			u.begin(sc.Outlet, sc.Kind, at)
		}
		if err := cut.read(it.Value(), at, &u.part); err != nil {
			return err
		}
		u.add(locatorOf(key[14:]))
	}
	if u.open {
		fn(&u.rec)
	}
	return damaged(it.Error())
}

// united is a record put together from its parts, read in either order.
type united struct {
	rec, part telemetry.Record
	open      bool
	newest    bool // parts come latest first
}

func (u *united) begin(o telemetry.OutletID, k telemetry.Kind, at int64) {
	u.rec = telemetry.Record{Outlet: o, Kind: k, At: at, Values: u.rec.Values[:0], Parts: u.rec.Parts[:0]}
	u.open = true
}

func (u *united) add(loc telemetry.Locator) {
	p, r := &u.part, &u.rec
	if len(p.Values) == 0 {
		return
	}
	first := len(r.Parts) == 0
	if first || !u.newest {
		r.RF, r.Received = p.RF, p.Received
	}
	if u.newest {
		for i := range p.Values {
			switch later, ok := r.Find(p.Values[i].Code, p.Values[i].Suffix); {
			case !ok:
				r.Values = append(r.Values, p.Values[i])
			case !same(later, &p.Values[i]):
				r.Revised = true
			}
		}
		r.Parts = slices.Insert(r.Parts, 0, loc)
		return
	}
	merge(r, p.Values, loc)
}

// column reads one factor's values out of rows.
type column struct {
	s     *Store
	match func(code string) bool
	of    *shape
	want  []bool // by the names of shape of
	any   bool
}

func (c *column) choose(sh *shape) {
	if c.of == sh {
		return
	}
	c.of, c.any, c.want = sh, false, c.want[:0]
	for _, n := range sh.names {
		w := c.match(n.code)
		c.want, c.any = append(c.want, w), c.any || w
	}
}

// read is parseRow for one factor.
func (c *column) read(row []byte, at int64, rec *telemetry.Record) error {
	r := reader{b: row}
	flags, id, delay := r.byte(), r.uvarint(), r.varint()
	sh := c.s.shapeByID(uint32(id))
	if sh == nil || r.bad {
		return fmt.Errorf("%w: shape %d", errRow, id)
	}
	rec.At, rec.Received, rec.RF, rec.Values = at, (at+delay)*1e6, flags&rowRF != 0, rec.Values[:0]
	c.choose(sh)
	if !c.any {
		return nil
	}
	for i, n := range sh.names {
		head := r.uvarint()
		v := telemetry.Value{Code: n.code, Suffix: n.suffix}
		switch {
		case head&7 != longForm:
			if !c.want[i] {
				continue
			}
			v.IsNum, v.Dec = true, decimalOf(head>>3, uint8(head&7))
		case head>>3 == longText:
			text := r.bytes(r.uvarint())
			if !c.want[i] {
				continue
			}
			v = telemetry.NewValue(n.code, n.suffix, text)
		default:
			scale := r.byte()
			zig := r.uvarint()
			if !c.want[i] {
				continue
			}
			v.IsNum, v.Dec = true, decimalOf(zig, scale)
		}
		if flags&rowAllN != 0 {
			v.Flag = "N"
		}
		rec.Values = append(rec.Values, v)
	}
	if flags&(rowAllN|rowNoMark) == 0 {
		c.marks(&r, rec)
	}
	if r.bad {
		return errRow
	}
	return nil
}

// marks gives the values their marks, which stand in runs over all of a row.
func (c *column) marks(r *reader, rec *telemetry.Record) {
	k := 0
	for i := 0; i < len(c.want) && !r.bad; {
		n := int(r.uvarint())
		mark := r.bytes(r.uvarint())
		for ; n > 0 && i < len(c.want); n-- {
			if c.want[i] {
				rec.Values[k].Flag = telemetry.Intern(mark)
				k++
			}
			i++
		}
	}
}

func decimalOf(zig uint64, scale uint8) telemetry.Decimal {
	return telemetry.Decimal{Coef: int64(zig>>1) ^ -int64(zig&1), Scale: scale}
}

// DerivedNewest is Derived from the last row to the first.
func (s *Store) DerivedNewest(table byte, o telemetry.OutletID, from, to int64, fn func(at int64, v []byte) bool) error {
	if to <= from {
		return nil
	}
	e, err := s.use()
	if err != nil {
		return err
	}
	defer e.Release()
	it, err := e.DB.NewIter(&pebble.IterOptions{LowerBound: derivedKey(table, o, from), UpperBound: derivedKey(table, o, to)})
	if err != nil {
		return err
	}
	defer it.Close()
	for ok := it.Last(); ok; ok = it.Prev() {
		if !fn(atOf(it.Key()[6:]), it.Value()) {
			break
		}
	}
	return it.Error()
}
