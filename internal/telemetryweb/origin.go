package telemetryweb

import "plateau/internal/telemetry"

// Origin tells where the values of a sample outlet's factor come from, so that
// nobody takes what was made up for what was measured.
type Origin struct {
	// Kind: played (a real series), scaled (the same, multiplied to the outlet's
	// size or limit), estimated (generated from the figures of a real series),
	// made (generated, no real series holds the quantity). It ends a catalogue
	// key of "origin.".
	Kind   string
	Source string // who published the series; "" with made
}

// origin is the origin of a factor's values; nil outside a demonstration.
func (h *Handler) origin(o *telemetry.Outlet, code string) *Origin {
	if h.Origin == nil || !o.Sample {
		return nil
	}
	if from, ok := h.Origin(o.ID, code); ok {
		return &from
	}
	return nil
}

// generated tells whether no real value stands behind a factor.
func (h *Handler) generated(o *telemetry.Outlet, code string) bool {
	from := h.origin(o, code)
	return from != nil && (from.Kind == "made" || from.Kind == "estimated")
}
