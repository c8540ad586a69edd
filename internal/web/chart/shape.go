package chart

// Shape returns the drawing of a state in a 14-unit box. Shape, word and colour
// together tell a state; the shape alone is enough for readers who see no
// colour. The colour is the element's current colour.
func Shape(state string) string {
	switch state {
	case "exceed":
		return `<path d="M7 .8 13.7 13H.3z" fill="currentColor"/>`
	case "warn":
		return `<path d="M7 .3 13.7 7 7 13.7.3 7z" fill="currentColor"/>`
	case "suspect":
		return `<circle cx="7" cy="7" r="6.5" fill="currentColor"/><path class="mark" d="M4.9 5.4a2.1 2.1 0 1 1 3.1 1.8c-.7.4-1 .8-1 1.5m0 1.2v1.3" fill="none" stroke-width="1.5"/>`
	case "offline":
		return `<circle cx="7" cy="7" r="5.3" fill="none" stroke="currentColor" stroke-width="2" stroke-dasharray="2.4 1.76"/>`
	case "maint":
		return `<path d="M1.5 1.5h11v11h-11z" fill="currentColor"/>`
	case "stopped":
		return `<path d="M3.8 7h6.4M7 1.2a5.8 5.8 0 1 0 .01 0z" fill="none" stroke="currentColor" stroke-width="1.5"/>`
	}
	return `<circle cx="7" cy="7" r="3" fill="currentColor"/>`
}

// States lists the states, the most pressing first.
func States() []string {
	return []string{"exceed", "warn", "suspect", "offline", "maint", "stopped", "normal"}
}

// needsAction reports whether somebody has to do something about a state.
func needsAction(state string) bool {
	switch state {
	case "exceed", "warn", "suspect", "offline":
		return true
	}
	return false
}
