package tql

// plainGroup are the parameters that are one field of a group.
var plainGroup = []field{
	{"id", Number, "", "number", ""},
	{"summary", Text, "name summary", "name", ""},
	{"type", Number, "typeId", "number of the type", ""},
	{"owner", Number, "ownerId", "number of the owner", ""},
	{"ownerName", Text, "", "name of the owner", ""},
	{"createdBy", Text, "createdBy.userName createdBy", "name of the user who made it", ""},
	{"dateAdded", Date, "", "when it was added", ""},
	{"lastModified", Date, "", "when it was last modified", ""},
	{"firstSeen", Date, "", "first seen", ""},
	{"lastSeen", Date, "", "last seen", ""},
	{"externalDateAdded", Date, "", "added, as an external system has it", ""},
	{"externalDateExpires", Date, "", "expires, as an external system has it", ""},
	{"externalLastModified", Date, "", "modified, as an external system has it", ""},
	{"status", Text, "", "status", ""},
	{"aiProvider", Text, "", "provider of the insights", ""},
	{"insights", Text, "", "insights", ""},
	{"generatedReport", Bool, "", "the report was generated", ""},
	{"upvoteCount", Number, "", "votes for it", ""},
	{"downvoteCount", Number, "", "votes against it", ""},
	{"eventDate", Date, "", "when the event was", ""},
	{"eventType", Text, "", "type of the event", ""},
	{"publishDate", Date, "", "when it was published", ""},
	{"documentDateAdded", Date, "", "when the document was added", ""},
	{"documentFilename", Text, "documentFilename fileName", "name of the document's file", ""},
	{"documentFilesize", Number, "documentFilesize fileSize", "bytes of the document", ""},
	{"documentStatus", Text, "documentStatus status", "status of the document", ""},
	{"documentType", Text, "", "type of the document", ""},
	{"emailDate", Date, "", "when the mail was sent", ""},
	{"emailFrom", Text, "emailFrom from", "sender of the mail", ""},
	{"emailScore", Number, "emailScore score", "score of the mail", ""},
	{"emailScoreIncludesBody", Bool, "", "the score looks at the body", ""},
	{"emailSubject", Text, "emailSubject subject", "subject of the mail", ""},
	{"signatureDateAdded", Date, "", "when the signature was added", ""},
	{"signatureFilename", Text, "signatureFilename fileName", "name of the signature's file", ""},
	{"signatureType", Text, "", "type of the signature", ""},
	{"taskAssignee", Text, "", "assignee of the task", ""},
	{"taskAssigneePseudo", Text, "", "pseudonym of the assignee", ""},
	{"taskDateAdded", Date, "", "when the task was added", ""},
	{"taskDueDate", Date, "taskDueDate dueDate", "when the task is due", ""},
	{"taskEscalated", Bool, "taskEscalated escalated", "the task is escalated", ""},
	{"taskEscalationDate", Date, "taskEscalationDate escalationDate", "when the task is escalated", ""},
	{"taskOverdue", Bool, "taskOverdue overdue", "the task is overdue", ""},
	{"taskReminded", Bool, "taskReminded reminded", "a reminder was sent", ""},
	{"taskReminderDate", Date, "taskReminderDate reminderDate", "when a reminder is sent", ""},
	{"taskStatus", Text, "taskStatus status", "status of the task", ""},
	{"hasIntelQuery", Number, "", "number of a query", ""},
}

// addGroups fills the table of hasGroup.
func (t *v3Tables) addGroups(s *Schema) {
	s.addFields(plainGroup)
	p := field{"typeName", Text, "type", "name of the type, as Adversary, Campaign", ""}.param()
	p.Canonical = knownNames("typeName", "group", groupTypes, tcNames, "a type of indicators")
	s.Add(p)
	s.Add(Param{Name: "isGroup", Type: Bool, Doc: "always true", Bool: func(any) (bool, bool) { return true, true }})
	t.addCommonSubs(s, "hasTag", "hasAllTags", "hasSecurityLabel", "hasAttribute", "hasGroup", "hasIndicator", "hasCase",
		"hasArtifact", "hasIntelRequirement", "hasVictim", "hasVictimAsset")
	s.AddSub(reported("hasCommonGroup", t.commonGroups, "commonGroups", "the same group in any owner"))
	s.AddSub(reported("hasThreatActorProfile", t.profiles, "threatActorProfiles", "profiles of the actor"))
	s.addTagParams(collection("hasTag", t.tags, "tags", ""))
	s.addEach(field{"securityLabel", Text, "name", "name of a security label", ""}, collection("", t.labels, "securityLabels", ""))
	s.addEach(field{"associatedIndicator", Number, "id", "number of an indicator", ""}, reported("", t.indicators, "associatedIndicators", ""))
	s.addEach(field{"parentGroup", Number, "id", "number of a parent", ""}, reported("", t.groups, "parentGroups", ""))
	s.addEach(field{"childGroup", Number, "id", "number of a child", ""}, reported("", t.groups, "childGroups", ""))
	s.addEach(field{"victimAsset", Text, "asset summary", "asset of a victim", ""}, reported("", t.assets, "associatedVictimAssets", ""))
	s.Family = attributeParam
}

// addCommonGroups adds what only the table of hasCommonGroup has, and fills that of
// hasThreatActorProfile.
func (t *v3Tables) addCommonGroups() {
	t.commonGroups.addFields([]field{
		{"cvss_score_v2", Number, "", "CVSS 2 score", ""}, {"cvss_score_v3", Number, "", "CVSS 3.0 score", ""},
		{"cvss_score_v3_1", Number, "", "CVSS 3.1 score", ""}, {"cvss_score_v4", Number, "", "CVSS 4 score", ""},
	})
	t.profiles.addFields([]field{
		{"id", Number, "", "number", ""}, {"name", Text, "", "name", ""}, {"mitre_id", Text, "", "ATT&CK number of the actor", ""},
	})
}

// addCommonSubs adds the nested tables that several tables share. The tables of an
// associated thing come only where they were asked for: what is not there is not
// known, save for tags, labels and attributes.
func (t *v3Tables) addCommonSubs(s *Schema, names ...string) {
	all := collection("hasAllTags", t.tags, "tags", "its tags: each value of one list must be there")
	all.Every = true
	subs := map[string]Sub{}
	for _, sub := range []Sub{
		collection("hasTag", t.tags, "tags", "its tags"), all,
		collection("hasSecurityLabel", t.labels, "securityLabels", "its security labels"),
		collection("hasAttribute", t.attributes, "attributes", "its attributes"),
		associated("hasGroup", t.groups, "associatedGroups", "groups it is associated with"),
		associated("hasIndicator", t.indicators, "associatedIndicators", "indicators it is associated with"),
		associated("hasCase", t.cases, "associatedCases", "cases it is associated with"),
		associated("hasArtifact", t.artefacts, "associatedArtifacts", "artefacts it is associated with"),
		reported("hasIntelRequirement", t.requirements, "associatedIntelRequirements", "intelligence requirements"),
		reported("hasVictim", t.victims, "associatedVictims", "victims"),
		reported("hasVictimAsset", t.assets, "associatedVictimAssets", "assets of victims"),
	} {
		subs[sub.Name] = sub
	}
	for _, name := range names {
		s.AddSub(subs[name])
	}
}
