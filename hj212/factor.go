package hj212

import (
	"bytes"
	_ "embed"
	"encoding/csv"
	"strconv"
	"strings"
	"sync"
)

//go:embed factors.csv
var factorsCSV []byte

// Factor is an entry of the code tables: HJ 525-2009 (water), HJ 524-2009
// (air), annex B of HJ 212-2017, HJ/T 212-2005.
type Factor struct {
	Code, Old          string // code, and the code of 2005
	Medium             string
	NameZh, NameEn     string
	Formula, CAS       string
	Unit, EmissionUnit string // of the concentration, and of the amount (Cou)
	Type               string // N4.2 and the like
	Decimals           int
	Standard, Note     string
}

var factors = sync.OnceValue(func() map[string]Factor {
	r := csv.NewReader(bytes.NewReader(factorsCSV))
	r.Comment = '#'
	rows, err := r.ReadAll()
	if err != nil {
		panic("hj212: embedded factor table: " + err.Error())
	}
	m := make(map[string]Factor, 2*len(rows))
	for _, f := range rows[1:] {
		d, _ := strconv.Atoi(f[10])
		x := Factor{
			Code: f[0], Old: f[1], Medium: f[2], NameZh: f[3], NameEn: f[4], Formula: f[5], CAS: f[6],
			Unit: f[7], EmissionUnit: f[8], Type: f[9], Decimals: d, Standard: f[11], Note: f[12],
		}
		if _, dup := m[x.Code]; !dup && x.Code != "" {
			m[x.Code] = x
		}
	}
	for _, f := range rows[1:] {
		if _, taken := m[f[1]]; f[1] != "" && !taken {
			m[f[1]] = m[f[0]]
		}
	}
	return m
})

// LookupFactor finds a code of 2017 or 2005 (never parse codes as numbers:
// 01 is dust, 001 is pH). Where the exact code is unknown, its last one or two
// characters are tried as an equipment or point number (x, xx in the tables).
// The capital I that 2017 prints once in an i-code is read as i.
func LookupFactor(code string) (Factor, bool) {
	if strings.HasPrefix(code, "I") {
		code = "i" + code[1:]
	}
	t := factors()
	if f, ok := t[code]; ok {
		return f, true
	}
	for _, n := range [...]int{2, 1} {
		if len(code) > n {
			if f, ok := t[code[:len(code)-n]+strings.Repeat("x", n)]; ok {
				return f, true
			}
		}
	}
	return Factor{}, false
}

// Factors returns every entry by code; the map is the caller's.
func Factors() map[string]Factor {
	out := map[string]Factor{}
	for _, f := range factors() {
		out[f.Code] = f
	}
	return out
}
