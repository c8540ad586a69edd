package quality

// TransmissionRule is net.tx_valid_rate in force.
type TransmissionRule struct {
	ref
	GroupsPerHour float64
	Target        float64 // percent
	BackfillDays  float64
	LateMarked    bool // only what is marked as re-sent can come too late
}

// Received is what came of an outlet in a period, live or re-sent in time.
type Received struct {
	Hours   float64 // of the period
	Stopped float64 // of these under an accepted stop mark
	Factors float64 // required
	Values  float64 // single values received
	Groups  float64 // times at which every required factor came valid
}

// TransmissionResult holds the rates in percent; missing where nothing was due.
type TransmissionResult struct {
	Transmission, Valid, TxValid Opt
	Due                          float64 // groups
}

// TxValidRate is the valid rate of transmission: net.tx_valid_rate, values
// received ÷ values due times valid groups ÷ groups due. Only running hours
// are due; both shares have what was due below the line, not what came. More
// than was due (hours sent for a stop) gives more than 100 and shows as such.
func TxValidRate(r *TransmissionRule, in Received) TransmissionResult {
	due := (in.Hours - in.Stopped) * r.GroupsPerHour
	values := due * in.Factors
	if due <= 0 || values <= 0 {
		return TransmissionResult{}
	}
	tx, valid := in.Values/values*100, in.Groups/due*100
	return TransmissionResult{Some(tx), Some(valid), Some(tx * valid / 100), due}
}

// Step writes the rate down for a person.
func (t TransmissionResult) Step(r *TransmissionRule, in Received) Step {
	s := r.step(StepValidity)
	s.Inputs = []Input{{"H", num(in.Hours), "h"}, {"stopped", num(in.Stopped), "h"}, {"factors", num(in.Factors), ""}}
	s.Result = optText(t.TxValid)
	if t.TxValid.OK {
		s.Formula = num(in.Values) + " ÷ (" + num(t.Due) + " × " + num(in.Factors) + ") × " + num(in.Groups) + " ÷ " + num(t.Due) + " × 100 % = " +
			num(t.TxValid.V) + " %" + sign(t.TxValid.V >= r.Target) + num(r.Target) + " %"
	}
	return s
}
