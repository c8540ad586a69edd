package telemetryweb

import (
	"math"
	"net/http"
	"strings"
	"time"

	"plateau/internal/platform/i18n"
	"plateau/internal/web"
)

// keepingRoutes are the page of what is kept and how long there is room.
func keepingRoutes() []route {
	return []route{{"GET", "/keeping", Keeps, (*Handler).keepingPage}}
}

type keptLine struct {
	Kind, Bytes, PerDay, Years string
}

type keepingView struct {
	Tabs     []web.Tab
	Lines    []keptLine
	Warnings []string
	Used     string
	Free     string
	PerDay   string
	Forecast string
	Place    string
	Sealed   string
	After    string
	Fault    string
	Backup   string
	Rule     string
}

func (h *Handler) keepingPage(c *call) error {
	if h.Keeping == nil {
		return notFound()
	}
	st, err := h.Keeping.Status(c.ctx())
	if err != nil {
		return err
	}
	t := c.l.T
	perDay := func(v float64, known bool) string {
		if !known {
			return t("keeping.too_early")
		}
		return t("keeping.per_day", "size", size(v))
	}
	v := &keepingView{
		Tabs: c.registryTabs("keeping"), Used: size(float64(st.Used)), Free: size(float64(st.Free)), PerDay: perDay(st.PerDay, st.Known),
		Forecast: t("keeping.too_early"), Place: st.Place, Sealed: t("keeping.none_sealed"), After: t("keeping.never"), Backup: t("keeping.no_backup"),
		Rule: c.path("/rules/keeping.retention"),
	}
	for _, k := range st.Kinds {
		line := keptLine{Kind: t("keeping.kind_" + k.Kind), Bytes: size(float64(k.Bytes)), PerDay: perDay(k.PerDay, k.Known)}
		if k.Years > 0 {
			line.Years = t("keeping.years", "n", k.Years)
		}
		v.Lines = append(v.Lines, line)
	}
	switch {
	case st.Fills:
		v.Forecast = t("keeping.full", "days", int(st.Days), "date", i18n.Short(st.At.Add(time.Duration(st.Days*24)*time.Hour)))
	case st.Known:
		v.Forecast = t("keeping.not_full")
	}
	if st.Files > 0 {
		v.Sealed = t("keeping.sealed_to", "n", st.Files, "group", st.Sealed, "date", i18n.Short(st.SealedTo))
	}
	if st.SealAfter > 0 {
		v.After = t("keeping.after", "days", int(st.SealAfter/(24*time.Hour)))
	}
	if st.Fault != nil {
		v.Fault = st.Fault.Error()
	}
	if !st.Backup.At.IsZero() {
		v.Backup = t("keeping.backed_up", "at", i18n.Stamp(st.Backup.At), "size", size(float64(st.Backup.Bytes)), "to", st.Backup.To)
	}
	for _, w := range st.Warnings {
		v.Warnings = append(v.Warnings, t("keeping.warn_"+w))
	}
	p := &web.Page{Title: t("keeping.title"), Module: "registry", Crumbs: []web.Crumb{{Text: t("nav.registry"), Path: "/registry"}}, Data: v}
	return h.render(c, http.StatusOK, "keeping.html", p)
}

// size writes bytes with a unit of thousands, as disks are sold.
func size(bytes float64) string {
	units := []string{"B", "kB", "MB", "GB", "TB", "PB"}
	i, sign := 0, ""
	if bytes < 0 {
		bytes, sign = -bytes, "-"
	}
	for bytes >= 999.5 && i < len(units)-1 {
		bytes /= 1000
		i++
	}
	digits := 0
	if bytes < 9.95 && i > 0 {
		digits = 1
	}
	scale := math.Pow10(digits)
	text := i18n.Number(math.Round(bytes*scale)/scale, digits)
	return strings.TrimSpace(sign + text + " " + units[i])
}
