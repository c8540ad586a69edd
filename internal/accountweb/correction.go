package accountweb

import (
	"net/http"
	"slices"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/errs"
	"plateau/internal/web"
)

// correctionRoutes are where people ask to have something put right of what is
// held on them, and where that is answered.
func correctionRoutes() []route {
	return []route{
		{"POST", "/account/data", signedIn, (*Handler).askCorrection},
		{"GET", "/corrections", keepsAccounts, (*Handler).corrections},
		{"POST", "/corrections", keepsAccountsFresh, (*Handler).answerCorrection},
	}
}

func (h *Handler) askCorrection(c *call) error {
	err := h.Auth.AskCorrection(c.Ctx(), c.Who, c.form("text"))
	if errs.Is(err, errs.Invalid) {
		return h.dataPage(c, err)
	} else if err != nil {
		return err
	}
	return c.Done("/account/data", "correction_asked")
}

// correctionLine is a request with the form of its answer.
type correctionLine struct {
	auth.Correction
	Own  bool
	Form web.Field
}

type correctionsView struct{ Open, Answered []correctionLine }

func (h *Handler) corrections(c *call) error { return h.correctionsPage(c, "", nil) }

// correctionsShown bounds the answered ones on the page.
const correctionsShown = 50

// correctionsPage lists the requests; of is the one whose answer was wrong.
func (h *Handler) correctionsPage(c *call, of string, wrong error) error {
	list, err := h.Auth.Corrections(c.Ctx(), "")
	if err != nil {
		return err
	}
	v := &correctionsView{}
	p := &web.Page{Title: c.L.T("corrections.title"), Crumbs: c.crumbs(), Data: v}
	status := http.StatusOK
	var seen []string
	for i := range list {
		x := correctionLine{Correction: list[i], Own: list[i].User == c.Who.ID}
		if !x.Answered.IsZero() {
			if len(v.Answered) == correctionsShown {
				continue
			}
			v.Answered = append(v.Answered, x)
		} else {
			x.Form = web.Field{Name: auth.AnswerField(x.ID), Kind: "textarea", Rows: 3, Label: c.L.T("corrections.answer")}
			if of == x.ID {
				x.Form.Value = c.form(x.Form.Name)
				if status, err = c.faults(wrong, p, &x.Form); err != nil {
					return err
				}
			}
			v.Open = append(v.Open, x)
		}
		seen = append(seen, x.User)
	}
	if wrong != nil && status == http.StatusOK { // of one that does not wait here
		return wrong
	}
	slices.Sort(seen)
	if err := h.Auth.Look(c.Ctx(), "account.corrections", "account", "", slices.Compact(seen), ""); err != nil {
		return err
	}
	return c.Render(status, "corrections.html", p)
}

func (h *Handler) answerCorrection(c *call) error {
	id := c.form("id")
	if err := h.Auth.AnswerCorrection(c.Ctx(), c.Who, id, c.form(auth.AnswerField(id))); errs.Is(err, errs.Invalid) {
		return h.correctionsPage(c, id, err)
	} else if err != nil {
		return err
	}
	return c.Done("/corrections", "correction_answered")
}
