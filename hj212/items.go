package hj212

import "bytes"

// items splits a CP without logs. It goes from separator to separator by the
// marks; what stands between is not looked at byte by byte.
func (p *Packet) items(m *marks, i, end int) {
	seg := p.Seg
	items := p.Items[:cap(p.Items)] // written in place: no copy of an item
	n := 0
	group := uint16(0)
	for {
		if end < m.to {
			m.add(end) // the last item ends there without a separator
		}
		for i < min(end, m.to) {
			if n == len(items) {
				items = append(items, Item{})
				items = items[:cap(items)]
			}
			var took int
			if took, i, group = m.items(seg, items[n:], i, end, group); took > 0 {
				n += took
				continue
			}
			dash, eq, at := ends(seg, i, end, false)
			if at > i && fill(seg, &items[n], i, dash, eq, at) {
				items[n].Group = group
				n++
			}
			if seg[at] == ';' {
				group++
			}
			i = at + 1
		}
		if i >= end {
			break
		}
		m.set(seg, i)
	}
	p.Items = items[:n]
}

// items takes the items of seg from i on, the first of them in group, for as
// long as they have the usual form, end in the stretch and fit into items. It
// returns how many there were, where the next one begins, and its group.
func (m *marks) items(seg []byte, items []Item, i, end int, group uint16) (n, next int, g uint16) {
	limit := min(end, m.to)
	base, w := i, uint64(0) // the marks from base on that are not used yet
	for n := range items {
		if i >= limit {
			return n, i, group
		}
		w2 := w & (w - 1) // without the first
		w3 := w2 & (w2 - 1)
		if w3 == 0 {
			base, w = i, m.at(i)
			w2 = w & (w - 1)
			w3 = w2 & (w2 - 1)
		}
		if w2 == 0 {
			return n, i, group
		}
		it := &items[n]
		eq := base + first(w)
		at := base + first(w2)
		if seg[eq] == '-' {
			if w3 == 0 {
				return n, i, group
			}
			dash := eq
			eq = at
			it.Code = Span{uint16(i), uint16(dash - i)}
			it.Suffix = Span{uint16(dash + 1), uint16(eq - dash - 1)}
			at = base + first(w3)
			w = w3
		} else {
			it.Code = Span{uint16(i), uint16(eq - i)}
			it.Suffix = Span{}
			w = w2
		}
		c := seg[at]
		w &= w - 1
		for c != ',' && c != ';' && at != end { // a mark in the value
			if w == 0 {
				return n, i, group
			}
			at = base + first(w)
			c = seg[at]
			w &= w - 1
		}
		if seg[eq] != '=' || !m.plain && min(seg[i], seg[eq-1], seg[eq+1], seg[at-1]) <= ' ' {
			return n, i, group
		}
		it.Value = Span{uint16(eq + 1), uint16(at - eq - 1)}
		it.Group = group
		if c == ';' {
			group++
		}
		i = at + 1
	}
	return len(items), i, group
}

// ends finds the last '-' of the name and the first '=' of the item at i, -1
// where there is none, and where it ends. Between the marks of logs nothing
// counts (section 6.6.5); a mark that is never closed is plain text.
func ends(seg []byte, i, end int, logs bool) (dash, eq, at int) {
	dash, eq = -1, -1
	for ; i < end; i++ {
		switch seg[i] {
		case ',', ';':
			return dash, eq, i
		case '=':
			if eq < 0 {
				eq = i
			}
		case '-':
			if eq < 0 {
				dash = i
			}
		case '/':
			if logs && i+1 < end && seg[i+1] == '/' {
				if n := bytes.Index(seg[i+2:end], []byte("//")); n >= 0 {
					i += 2 + n + 1
				}
			}
		}
	}
	return dash, eq, end
}

// fill describes the item seg[start:end] with its name's last dash and its
// first '=' (-1 where there is none); false when it is blank.
func fill(seg []byte, it *Item, start, dash, eq, end int) bool {
	nameEnd, va := end, end
	if eq >= 0 {
		nameEnd, va = eq, eq+1
	}
	if seg[start] <= ' ' || seg[end-1] <= ' ' || seg[nameEnd-1] <= ' ' || va < end && seg[va] <= ' ' {
		if start, end = trim(seg, start, end); start == end {
			return false
		}
		if eq < 0 {
			nameEnd, va = end, end
		}
		start, nameEnd = trim(seg, start, nameEnd)
		va, end = trim(seg, min(va, end), end)
	}
	if dash < 0 {
		it.Code = Span{uint16(start), uint16(nameEnd - start)}
		it.Suffix = Span{}
	} else {
		it.Code = Span{uint16(start), uint16(dash - start)}
		it.Suffix = Span{uint16(dash + 1), uint16(nameEnd - dash - 1)}
	}
	it.Value = Span{uint16(va), uint16(end - va)}
	return true
}

// itemsWithLogs splits a CP that holds //texts//: between the marks, separators
// are data.
func (p *Packet) itemsWithLogs(i, end int) {
	seg := p.Seg
	group := uint16(0)
	for i < end {
		switch seg[i] {
		case ';':
			group++
			i++
			continue
		case ',', ' ', '\t', '\r', '\n':
			i++
			continue
		}
		dash, eq, at := ends(seg, i, end, true)
		it := Item{Group: group}
		if fill(seg, &it, i, dash, eq, at) {
			p.Items = append(p.Items, it)
		}
		i = at
	}
}
