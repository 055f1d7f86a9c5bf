package tql

import (
	"strconv"
	"strings"
)

// addIndicatorLists adds the nested tables, and the parameters that look into them
// without one.
func (t *v3Tables) addIndicatorLists() {
	s := t.indicators
	groups := collection("hasGroup", t.groups, "associatedGroups", "groups it is associated with")
	tags := collection("hasTag", t.tags, "tags", "its tags")
	all := tags
	all.Name, all.Every, all.Doc = "hasAllTags", true, "its tags: each value of one list must be there"
	labels := collection("hasSecurityLabel", t.labels, "securityLabels", "its security labels")
	for _, sub := range []Sub{
		tags, all, labels, groups,
		collection("hasIndicator", s, "associatedIndicators", "indicators it is associated with"),
		collection("hasCustomAssociation", s, "customAssociations", "indicators of a custom association"),
		collection("hasAttribute", t.attributes, "attributes", "its attributes"),
		collection("hasArtifact", t.artefacts, "associatedArtifacts", "artefacts it is associated with"),
		collection("hasCase", t.cases, "associatedCases", "cases it is associated with"),
		reported("hasIntelRequirement", t.requirements, "associatedIntelRequirements", "intelligence requirements"),
		reported("hasVictim", t.victims, "associatedVictims", "victims"),
		reported("hasVictimAsset", t.assets, "associatedVictimAssets", "assets of victims"),
	} {
		s.AddSub(sub)
	}
	s.addTagParams(tags)
	s.addEach(field{"securityLabel", Text, "name", "name of a security label", ""}, labels)
	s.addEach(field{"associatedGroup", Number, "id", "number of a group it is associated with", ""}, groups)
	s.addEach(field{"associatedGroupSource", Text, "associationSource", "how the association was made: UNKNOWN, MANUAL, API, TQL, DNS, EMAIL", ""}, groups)
	s.addEach(field{"associatedIndicatorSource", Text, "associationSource", "how the association was made: UNKNOWN, MANUAL, API, TQL, DNS, EMAIL", ""},
		collection("", s, "associatedIndicators", ""))
	s.Family = attributeParam
}

// addTagParams adds what asks for tags without a nested table.
func (s *Schema) addTagParams(tags Sub) {
	s.addEach(field{"tag", Text, "name", "name of a tag", ""}, tags, "tags")
	s.addEach(field{"tagOwner", Number, "ownerId", "number of a tag's owner", ""}, tags)
	s.addEach(field{"tagOwnerName", Text, "ownerName owner", "name of a tag's owner", ""}, tags)
	attack := filtered("tags", func(o *Object) bool { _, ok := o.Text("techniqueId"); return ok })
	attack.Field = "tags"
	s.addEach(field{"attackTag", Text, "name", "name of an ATT&CK tag", ""}, *attack)
}

// attributeParam is attributeNAME: the values of the attributes of one type, with
// what is no letter or digit left out of the name. attributeNUMBER names a type by
// its number, which objects do not carry: such an attribute is not known.
func attributeParam(name string) *Param {
	const prefix = "attribute"
	if len(name) <= len(prefix) || !strings.EqualFold(name[:len(prefix)], prefix) {
		return nil
	}
	wanted := letters(name[len(prefix):])
	if wanted == "" {
		return nil
	}
	_, err := strconv.Atoi(wanted)
	byNumber := err == nil
	of := filtered("attributes", func(o *Object) bool {
		typeName, _ := o.Text("type")
		number, known := o.Text("typeId")
		return letters(typeName) == wanted || known && number == wanted
	})
	of.Field = "attributes"
	if byNumber {
		of.Known = func(s any) bool { return of.Len(s) > 0 }
	}
	return &Param{Name: name, Type: Any, Each: of, Field: "attributes", Any: func(s any) any {
		if v, ok := object(s).Text("value", "text"); ok {
			return v
		}
		return nil
	}}
}

// letters is a name's letters and digits in lower case.
func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '_' || r < 0x80 && !isLetter(byte(r)) && !isDigit(byte(r)) {
			return -1
		}
		return r
	}, strings.ToLower(s))
}
