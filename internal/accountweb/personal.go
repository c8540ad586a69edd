package accountweb

import (
	"net/http"

	"plateau/internal/platform/personal"
	"plateau/internal/web"
)

// PersonalPath is the page of the personal data that the program keeps, for
// everybody.
const PersonalPath = "/personal-data"

func personalRoutes() []route {
	return []route{{"GET", PersonalPath, anyone, (*Handler).personal}}
}

type basisView struct {
	Text       string
	Law        string
	Unverified bool
}

type kindView struct {
	Name, Purpose, Keep string
	Basis               []basisView
	Seen                []string
	Columns             []string
}

type personalView struct {
	Looked string
	Kinds  []kindView
	Mine   bool // who asks has an account
}

// personal shows the register of personal data.
func (h *Handler) personal(c *call) error {
	r := personal.Default()
	v := &personalView{Looked: r.LookedThrough, Mine: c.Session.ID != ""}
	for _, k := range r.Kinds {
		key := "personal." + k.ID
		x := kindView{Name: c.L.T(key), Purpose: c.L.T(key + "_purpose"), Keep: c.L.T(key+"_keep", "n", k.Days), Columns: k.Columns}
		for _, b := range k.Basis {
			x.Basis = append(x.Basis, basisView{c.L.T("personal.basis_" + b), r.Basis[b].Law + " " + r.Basis[b].Article, !r.Basis[b].Verified})
		}
		for _, s := range k.SeenBy {
			switch s {
			case "self", "nobody":
				x.Seen = append(x.Seen, c.L.T("personal."+s))
			default:
				x.Seen = append(x.Seen, c.L.T("permission."+s))
			}
		}
		v.Kinds = append(v.Kinds, x)
	}
	return c.Render(http.StatusOK, "personal.html", &web.Page{Title: c.L.T("personal.title"), Plain: true, Data: v})
}
