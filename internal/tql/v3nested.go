package tql

import "time"

// addTags fills the table of hasTag.
func (t *v3Tables) addTags() {
	s := t.tags
	s.Add(Param{Name: "name", Type: Text, Exact: true, Doc: "name; case counts", Text: func(s any) (string, bool) { return object(s).Text("name") }})
	addDescription(s)
	s.addFields([]field{
		{"summary", Text, "name", "name; case does not count", ""},
		{"id", Number, "", "number", ""},
		{"lastUsed", Date, "", "last used", ""},
		{"owner", Number, "ownerId", "number of the owner", ""},
		{"ownerName", Text, "ownerName owner", "name of the owner", ""},
		{"techniqueId", Text, "", "ATT&CK technique; not known of other tags", ""},
		{"normalized", Bool, "", "the tag is normalised", ""},
		{"securityCoverage", Text, "", "security coverage", ""},
		{"financialRisk", Text, "", "financial risk", ""},
		{"financialRiskScore", Number, "", "score of the financial risk", ""},
		{"financialRiskValue", Number, "", "value of the financial risk", ""},
		{"associatedCase", Number, "", "number of a case", ""},
		{"associatedGroup", Number, "", "number of a group", ""},
		{"associatedIndicator", Number, "", "number of an indicator", ""},
		{"associatedVictim", Number, "", "number of a victim", ""},
		{"caseId", Number, "", "number of a case", ""},
	})
	for _, sub := range []Sub{
		reported("hasCase", t.cases, "associatedCases", "cases"), reported("hasGroup", t.groups, "associatedGroups", "groups"),
		reported("hasIndicator", t.indicators, "associatedIndicators", "indicators"), reported("hasVictim", t.victims, "associatedVictims", "victims"),
	} {
		s.AddSub(sub)
	}
}

// addLabels fills the table of hasSecurityLabel.
func (t *v3Tables) addLabels() {
	s := t.labels
	s.addFields([]field{
		{"name", Text, "", "name, as TLP:AMBER", ""},
		{"summary", Text, "name", "name", ""},
		{"id", Number, "", "number", ""},
		{"color", Text, "", "colour", ""},
		{"dateAdded", Date, "", "when it was added", ""},
		{"owner", Number, "ownerId", "number of the owner", ""},
		{"ownerName", Text, "ownerName owner", "name of the owner", ""},
		{"hasGroupAttribute", Number, "", "number of a group's attribute", ""},
		{"hasIndicatorAttribute", Number, "", "number of an indicator's attribute", ""},
		{"hasVictimAttribute", Number, "", "number of a victim's attribute", ""},
		{"victimId", Number, "", "number of a victim", ""},
	})
	addDescription(s)
	s.AddSub(reported("hasGroup", t.groups, "associatedGroups", "groups"))
	s.AddSub(reported("hasIndicator", t.indicators, "associatedIndicators", "indicators"))
	s.AddSub(reported("hasVictim", t.victims, "associatedVictims", "victims"))
}

// addAttributes fills the table of hasAttribute.
func (t *v3Tables) addAttributes() {
	s := t.attributes
	s.addFields([]field{
		{"id", Number, "", "number", ""},
		{"type", Number, "typeId", "number of the type", ""},
		{"typeName", Text, "type typeName", "name of the type, as Phase of Intrusion", ""},
		{"text", Text, "value text", "the text", ""},
		{"shortText", Text, "value shortText", "the text", ""},
		{"intVal", Number, "value intVal", "the text as a number", ""},
		{"source", Text, "", "source", ""},
		{"dateAdded", Date, "", "when it was added", ""},
		{"lastModified", Date, "", "when it was last modified", ""},
		{"default", Bool, "", "the type's default", ""},
		{"displayed", Bool, "", "it is displayed", ""},
		{"pinned", Bool, "", "it is pinned", ""},
		{"associable", Bool, "", "it can be associated", ""},
		{"maxSize", Number, "", "longest text of the type", ""},
		{"user", Text, "createdBy.userName user", "name of the user who made it", ""},
	})
	s.Add(Param{Name: "dateVal", Type: Date, Doc: "the text as a date", Date: func(s any) (at time.Time) {
		return object(s).date([]string{"value", "dateVal"})
	}})
	// What an attribute does not say of its owner, its indicator does.
	for _, r := range []field{
		{"indicatorId", Number, "id", "number of the indicator", ""},
		{"groupId", Number, "id", "number of the group", ""},
		{"owner", Number, "ownerId", "number of the owner", ""},
		{"ownerName", Text, "ownerName", "name of the owner", ""},
	} {
		p := r.param()
		p.read(func(s any) *Object {
			o := object(s)
			if _, own := o.fields[r.name]; own {
				return o
			}
			return o.parent
		}, []string{r.name, r.keys})
		s.Add(p)
	}
	s.AddSub(collection("hasSecurityLabel", t.labels, "securityLabels", "its security labels"))
	s.AddSub(reported("hasIndicator", t.indicators, "associatedIndicators", "indicators"))
}

// addCases fills the tables of hasCase, hasArtifact and hasIntelRequirement.
func (t *v3Tables) addCases() {
	t.cases.addFields([]field{
		{"id", Number, "", "number", ""}, {"idAsString", Text, "id", "number as text", ""}, {"name", Text, "", "name", ""},
		{"xid", Text, "", "external id", ""}, {"status", Text, "", "Open or Closed", ""}, {"severity", Text, "", "severity", ""},
		{"resolution", Text, "", "resolution", ""}, {"typeName", Text, "type", "name of the type", ""},
		{"owner", Number, "ownerId", "number of the owner", ""}, {"ownerName", Text, "ownerName owner", "name of the owner", ""},
		{"createdBy", Text, "createdBy.userName createdBy", "name of the user who made it", ""},
		{"createdById", Number, "createdBy.id", "number of the user who made it", ""},
		{"assigneeName", Text, "assignee.data.userName assigneeName", "name of the assignee", ""},
		{"assignedToUserOrGroup", Text, "assignee.type", "User or Group", ""},
		{"dateAdded", Date, "", "when it was added", ""}, {"lastUpdated", Date, "", "when it was last updated", ""},
		{"caseOpenTime", Date, "caseOpenTime openDate", "when it was opened", ""},
		{"caseOpenDate", Date, "openDate caseOpenTime", "when it was opened", ""},
		{"caseCloseTime", Date, "caseCloseTime closeDate", "when it was closed", ""},
		{"caseCloseDate", Date, "closeDate caseCloseTime", "when it was closed", ""},
		{"caseDetectionTime", Date, "", "when it was detected", ""}, {"caseOccurrenceTime", Date, "", "when it occurred", ""},
		{"threatAssessScore", Number, "", "ThreatAssess score", ""}, {"calScore", Number, "", "CAL score", ""},
	})
	addDescription(t.cases)
	t.cases.addTagParams(collection("", t.tags, "tags", ""))
	t.addCommonSubs(t.cases, "hasTag", "hasAllTags", "hasGroup", "hasIndicator", "hasCase", "hasArtifact", "hasAttribute")
	t.artefacts.addFields([]field{
		{"id", Number, "", "number", ""}, {"summary", Text, "", "text", ""}, {"type", Text, "", "type", ""},
		{"typeName", Text, "type", "name of the type", ""}, {"source", Text, "", "source", ""}, {"dateAdded", Date, "", "when it was added", ""},
		{"caseId", Number, "", "number of the case", ""}, {"noteId", Number, "", "number of a note", ""}, {"taskId", Number, "", "number of a task", ""},
		{"analyticsScore", Number, "", "score", ""}, {"indicatorActive", Bool, "", "its indicator is active", ""},
	})
	t.addCommonSubs(t.artefacts, "hasGroup", "hasIndicator", "hasCase")
	t.requirements.addFields([]field{
		{"id", Number, "", "number", ""}, {"requirement", Text, "", "text", ""}, {"uniqueId", Text, "", "identifier", ""},
		{"category", Text, "category.name category", "category", ""}, {"subtype", Text, "subtype.name subtype", "subtype", ""},
		{"dateAdded", Date, "", "when it was added", ""}, {"lastModified", Date, "", "when it was last modified", ""},
		{"owner", Number, "ownerId", "number of the owner", ""}, {"ownerName", Text, "", "name of the owner", ""},
	})
	t.requirements.addTagParams(collection("", t.tags, "tags", ""))
	t.addCommonSubs(t.requirements, "hasTag", "hasGroup", "hasIndicator", "hasCase", "hasArtifact", "hasVictim", "hasVictimAsset")
}

// addVictims fills the tables of hasVictim and hasVictimAsset.
func (t *v3Tables) addVictims() {
	t.victims.addFields([]field{
		{"id", Number, "", "number", ""}, {"name", Text, "", "name", ""}, {"summary", Text, "name", "name", ""},
		{"nationality", Text, "", "nationality", ""}, {"organization", Text, "org organization", "organisation", ""},
		{"subOrg", Text, "suborg subOrg", "part of the organisation", ""}, {"workLocation", Text, "", "place of work", ""},
		{"owner", Number, "ownerId", "number of the owner", ""}, {"ownerName", Text, "", "name of the owner", ""},
	})
	addDescription(t.victims)
	t.victims.addTagParams(collection("", t.tags, "tags", ""))
	t.victims.addEach(field{"securityLabel", Text, "name", "name of a security label", ""}, collection("", t.labels, "securityLabels", ""))
	t.addCommonSubs(t.victims, "hasTag", "hasAllTags", "hasSecurityLabel", "hasAttribute", "hasGroup", "hasIndicator", "hasVictim", "hasVictimAsset")
	t.assets.addFields([]field{
		{"id", Number, "", "number", ""}, {"asset", Text, "asset summary", "the asset", ""}, {"summary", Text, "summary asset", "the asset", ""},
		{"type", Number, "typeId", "number of the type", ""}, {"typeName", Text, "type", "name of the type", ""},
		{"victimId", Number, "", "number of the victim", ""}, {"victimName", Text, "", "name of the victim", ""},
		{"owner", Number, "ownerId", "number of the owner", ""}, {"ownerName", Text, "", "name of the owner", ""},
	})
	t.addCommonSubs(t.assets, "hasGroup", "hasIndicator", "hasVictim", "hasVictimAsset")
}

func addDescription(s *Schema) {
	s.Add(Param{Name: "description", Type: Text, Exact: true, Doc: "description; case counts", Text: func(s any) (string, bool) {
		return object(s).Text("description")
	}})
}
