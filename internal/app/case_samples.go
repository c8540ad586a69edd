package app

import (
	"context"
	"fmt"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/casework"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/people"
)

// sampleStep is what somebody of the demonstration does to a sample case.
type sampleStep struct {
	by     string // login
	action string
	form   map[string]string
}

// sampleCases makes cases of rivers in different states, each labelled as a sample;
// a demonstration that has its organisation already is left as it is.
func (a *App) sampleCases(ctx context.Context) error {
	who := map[string]auth.Principal{}
	for _, login := range []string{"operator", "clerk", "water"} {
		u, err := a.auth.UserByLogin(ctx, login)
		if errs.Is(err, errs.NotFound) {
			return nil // somebody renamed the samples
		} else if err != nil {
			return err
		}
		who[login] = auth.Principal{ID: u.ID, Login: u.Login, Post: u.Post, Role: u.Role, Area: u.Area}
	}
	list, err := a.people.Organisations(ctx)
	if err != nil {
		return err
	}
	const bureau = "水利局（示例）"
	for _, o := range list {
		if o.Name.Zh == bureau {
			return nil
		}
	}
	water, err := a.people.PutOrganisation(ctx, people.Organisation{Kind: "authority", Name: auth.Post{Zh: bureau, En: "Water bureau (sample)"}, Area: "540000"}, auth.System)
	if err != nil {
		return fmt.Errorf("sample organisation: %w", err)
	}
	post, err := a.people.AddPost(ctx, people.Post{Organisation: water.ID, Kind: "dept_handler", Title: who["water"].Post}, auth.System)
	if err != nil {
		return fmt.Errorf("sample post: %w", err)
	}
	held, err := a.people.Appoint(ctx, people.Appointment{Post: post.ID, Account: who["water"].ID, From: a.now()}, auth.System)
	if err != nil {
		return fmt.Errorf("sample appointment: %w", err)
	}
	handler := who["water"]
	handler.Acting = held.ID
	who["water"] = handler
	handed := sampleStep{"clerk", "hand_out", map[string]string{"unit": water.ID, "note": "请尽快处理（示例）"}}
	for _, x := range []struct {
		o     casework.Opening
		steps []sampleStep
	}{
		{casework.Opening{Category: "litter", Title: "桥下岸边垃圾（示例）", Text: "桥下游约五十米有生活垃圾，雨后可能入河。示例数据。", Location: casework.Location{Area: "540402", Lat: 29.6487, Lon: 94.3612, HasPoint: true, Address: "滨河路（示例）"}}, nil},
		{casework.Opening{Category: "sewage", Title: "排水口污水直排（示例）", Text: "雨水口晴天有污水流出。示例数据。", Location: casework.Location{Area: "540402", Lat: 29.5713, Lon: 94.4471, HasPoint: true}}, []sampleStep{
			handed, {"water", "accept", nil}, {"water", "progress", map[string]string{"note": "已查明管网错接点（示例）"}},
		}},
		{casework.Opening{Category: "signboard", Title: "公示牌字迹不清（示例）", Text: "电话号码看不清。示例数据。", Location: casework.Location{Area: "540402"}}, []sampleStep{
			{"clerk", "need_info", map[string]string{"question": "请说明公示牌所在河段（示例）"}},
		}},
		{casework.Opening{Category: "occupation", Title: "岸线堆放砂石（示例）", Text: "岸边堆放砂石约一百立方米。示例数据。", Location: casework.Location{Area: "540402", Lat: 29.66, Lon: 94.35, HasPoint: true}}, []sampleStep{
			handed, {"water", "decline", map[string]string{"reason": "属道路施工临时堆放，请转交通部门（示例）"}},
		}},
	} {
		o := x.o
		o.Kind, o.Source = "river_case", "resident"
		c, _, err := a.cases.Open(ctx, o, casework.Input{}, who["operator"], casework.Request{})
		if err != nil {
			return fmt.Errorf("sample case: %w", err)
		}
		for _, s := range x.steps {
			if _, _, err := a.cases.Act(ctx, c.ID, s.action, casework.Input{Form: s.form}, who[s.by], casework.Request{}); err != nil {
				return fmt.Errorf("sample case, %s: %w", s.action, err)
			}
		}
	}
	return nil
}
