package publicweb

import (
	"context"
	"time"

	"plateau/internal/platform/casework"
	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
)

// caseLine is what residents read of what is being done about an exceedance.
type caseLine struct {
	Text, State   string
	Summary       word // empty until something came of it
	Number, Href  string
	Opened, Since string
	Open          bool
}

// cases are those of an outlet as far as the rule public.publish lets them out: of means
// that are published, when the first of them is, and closed ones for its days.
func (h *Handler) cases(c *call, o *telemetry.Outlet) (out []caseLine, err error) {
	if h.Cases == nil || c.policy.cases == 0 {
		return nil, nil
	}
	list, err := h.Cases.OfOutlet(context.WithoutCancel(c.r.Context()), o.ID, c.now.AddDate(0, 0, -c.policy.cases))
	if err != nil {
		return nil, err
	}
	for i := range list {
		x := &list[i]
		span := map[string]time.Duration{"hour": time.Hour, "day": 24 * time.Hour}[x.Level]
		if span == 0 || !c.policy.publishes(x.Level) || x.From.Add(span).After(c.cut) || x.Opened.After(c.cut) {
			continue
		}
		line := caseLine{State: c.text(x.State).Text, Summary: c.text(x.Summary), Number: x.Number, Href: x.Href, Opened: c.when(x.Opened), Since: c.when(x.Since), Open: x.Open}
		until := c.l.T("public.case_goes_on")
		if !x.To.IsZero() {
			until = c.when(x.To)
		}
		line.Text = c.l.T("public.case", "kind", c.l.T("alarm.kind."+string(x.Kind)), "factor", c.factor(x.Factor).Text, "since", c.when(x.From), "until", until)
		out = append(out, line)
	}
	return out, nil
}

// text is a text of a case in the reader's language, in Chinese where it lacks.
func (c *call) text(t casework.Text) word {
	switch {
	case c.lang == i18n.Bo && t.Bo != "":
		return word{t.Bo, "bo"}
	case c.lang == i18n.En && t.En != "":
		return word{t.En, "en"}
	}
	return word{t.Zh, "zh"}
}
