package quality

import (
	"math"
	"math/big"
	"strconv"

	"plateau/internal/telemetry"
)

// noise is the relative size of what float64 arithmetic on exact decimals may
// leave behind; a value nearer to a limit than that equals it.
const noise = 1e-12

// ExceedRule is judge.exceed in force.
type ExceedRule struct {
	ref
	Decimals int // shown
}

// Step writes a comparison down that counts as evidence.
func (r *ExceedRule) Step(j JudgeResult, v float64, l LimitRef) Step {
	return j.step(r.ref, v, l, true)
}

// JudgeResult is a comparison with a limit.
type JudgeResult struct {
	Exceeds bool
	Times   Opt // value ÷ limit − 1, unrounded; 0 when compliant; missing below a lower bound
}

// JudgeExceed compares the full value with the limit, without rounding it
// first (GB/T 8170-2008 section 4.3); equality complies.
func JudgeExceed(v float64, l LimitRef) JudgeResult {
	hi := l.Hi.OK && l.Op != ">=" && v > l.Hi.V && v-l.Hi.V > noise*math.Abs(l.Hi.V)
	lo := l.Lo.OK && l.Op != "<=" && v < l.Lo.V && l.Lo.V-v > noise*math.Abs(l.Lo.V)
	switch {
	case hi && l.Op == "<=" && l.Hi.V > 0:
		return JudgeResult{true, Some(v/l.Hi.V - 1)}
	case hi || lo:
		return JudgeResult{Exceeds: true} // pH and dissolved oxygen have no multiple
	}
	return JudgeResult{Times: Some(0)}
}

// JudgeExact is JudgeExceed of decimals as they were written, against an upper
// limit: no arithmetic went before, so there is no noise to forgive.
func JudgeExact(v, limit *big.Rat) JudgeResult {
	switch {
	case v.Cmp(limit) <= 0:
		return JudgeResult{Times: Some(0)}
	case limit.Sign() <= 0: // nothing is a multiple of zero
		return JudgeResult{Exceeds: true}
	}
	times := new(big.Rat).Quo(v, limit)
	f, _ := times.Sub(times, big.NewRat(1, 1)).Float64()
	return JudgeResult{true, Some(f)}
}

// Exact takes a float64 for the shortest decimal that stands for it; what is
// not finite is 0.
func Exact(v float64) *big.Rat {
	r, ok := new(big.Rat).SetString(strconv.FormatFloat(v, 'f', -1, 64))
	if !ok {
		return new(big.Rat)
	}
	return r
}

// step writes the comparison down for a person.
func (r JudgeResult) step(rule ref, v float64, l LimitRef, evidence bool) Step {
	s := rule.step(StepVerdict)
	value := num(v)
	if r.Exceeds && (l.Hi.OK && value == num(l.Hi.V) || l.Lo.OK && value == num(l.Lo.V)) {
		value = strconv.FormatFloat(v, 'f', -1, 64) // "35 > 35" would convince nobody
	}
	s.Inputs = []Input{{Name: "value", Value: value}, {Name: "limit", Value: l.Text()}}
	switch {
	case r.Exceeds && r.Times.OK:
		s.Formula = value + " ÷ " + num(l.Hi.V) + " − 1 = " + num(r.Times.V)
	case r.Exceeds && l.Hi.OK && v > l.Hi.V:
		s.Formula = value + " > " + num(l.Hi.V)
	case r.Exceeds:
		s.Formula = value + " < " + num(l.Lo.V)
	case l.Op == "range":
		s.Formula = num(l.Lo.V) + " ≤ " + value + " ≤ " + num(l.Hi.V)
	case l.Op == ">=":
		s.Formula = value + " ≥ " + num(l.Lo.V)
	default:
		s.Formula = value + " ≤ " + num(l.Hi.V)
	}
	s.Result = "complies"
	if r.Exceeds {
		s.Result = "exceeds"
		if !evidence {
			s.Result = "warns"
			s.Notes = append(s.Notes, Text{Key: "reason.warning_only", Args: map[string]string{"statistic": l.Statistic}})
		}
	}
	return s
}

// Text prints the limit's bounds: "50", "6–9", "≥ 5".
func (l LimitRef) Text() string {
	switch l.Op {
	case "range":
		return num(l.Lo.V) + "–" + num(l.Hi.V)
	case ">=":
		return "≥ " + num(l.Lo.V)
	case "<=":
		return num(l.Hi.V)
	}
	return ""
}

// DisplayRat rounds for show only, half to even on the decimal text
// (GB/T 8170-2008), to the given decimals.
func DisplayRat(r *big.Rat, decimals int) string {
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(decimals)), nil)
	n := new(big.Int).Mul(r.Num(), scale)
	q, m := new(big.Int).QuoRem(n, r.Denom(), new(big.Int))
	twice := new(big.Int).Abs(m)
	twice.Lsh(twice, 1)
	if c := twice.Cmp(r.Denom()); c > 0 || c == 0 && q.Bit(0) == 1 {
		q.Add(q, big.NewInt(int64(n.Sign())))
	}
	return new(big.Rat).SetFrac(q, scale).FloatString(decimals)
}

// RefOf condenses a limit, as its table has it.
func RefOf(l *telemetry.Limit) LimitRef { return limitRef(l) }

// limitRef condenses a limit; used is the statistic it was asked for.
func limitRef(l *telemetry.Limit) LimitRef {
	r := LimitRef{ID: l.ID, Op: l.Op, Statistic: l.Statistic}
	if l.Lo != nil {
		r.Lo = Some(*l.Lo)
	}
	if l.Hi != nil {
		r.Hi = Some(*l.Hi)
	}
	return r
}
