package hj212

import "fmt"

// Names of what can be wrong with a frame. They are also the reasons in
// verdicts and in the output of the decoder.
const (
	CRCMismatch     = "crc_mismatch"
	CRCMissing      = "crc_missing"
	LengthMismatch  = "length_mismatch"
	LengthNotDigits = "length_field_not_4_digits"
	StraySemicolon  = "semicolon_after_length_and_before_crc"
	CPNotClosed     = "cp_not_closed"
	MissingFields   = "missing_fields"
	Noise           = "noise"
	HalfPacket      = "half_packet"
	Malformed       = "malformed"
	BadTime         = "time_not_14_digits"
)

// remedies say what to do about each fault.
var remedies = map[string]string{
	CRCMismatch:     "compute the CRC by the listing of the standard, over exactly the data segment",
	CRCMissing:      "end the frame with four hexadecimal digits",
	LengthMismatch:  "count the bytes of the data segment only, as four digits",
	LengthNotDigits: "write the length as four decimal digits, such as 0255",
	StraySemicolon:  "leave out the semicolons after the length and before the CRC",
	CPNotClosed:     "open CP with CP=&& and close it with &&",
	MissingFields:   "send a data segment: header and CP=&&…&&",
	Noise:           "send nothing but frames on this connection",
	HalfPacket:      "send the whole frame; the rest did not come in time",
	Malformed:       "start with ## and the length, end with && and the CRC",
	BadTime:         "write the time as YYYYMMDDhhmmss",
}

// Error says what is wrong, where, and what to do about it.
type Error struct {
	Name   string // one of the names above
	Off    int    // byte offset from the start of what was given: a frame, a line or a segment
	Detail string // what was found; may be empty
}

// Error gives name, place, finding and remedy in one line.
func (e *Error) Error() string {
	s := fmt.Sprintf("%s at byte %d", e.Name, e.Off)
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	if r := remedies[e.Name]; r != "" {
		s += " (" + r + ")"
	}
	return s
}

// Is makes errors.Is compare by name.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Name == e.Name
}
