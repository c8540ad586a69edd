// Package mark keeps what people do with marks ("1 + N", Announcement 2022 No. 21)
// and corrections of outlets' data: drafts, submissions, reviews, documents, and
// the two deadlines of a correction. docs/marks.md tells the rules.
//
// Its tables hold each mark with its append-only events. What is in force belongs
// to the outlet in the registry (telemetry.Mark, telemetry.Correction): every act
// that puts something into force or takes it out changes the outlet in the same
// transaction, and the judgement follows by itself. The package judges nothing and
// writes no record.
package mark
