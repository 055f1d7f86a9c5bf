package config

import (
	"cmp"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/remeld/remeld/internal/diag"
	"github.com/remeld/remeld/internal/schedule/timetable"
	"github.com/remeld/remeld/sdk"
)

// Job is work with a beginning and an end: its sources are polled, and its targets
// applied, when a run of it starts and not otherwise.
type Job struct {
	Name    string
	Form    string
	Spec    timetable.Spec
	CatchUp bool
	Queue   bool
	Timeout time.Duration // 0 = none
	Sources []string      // nodes that a run polls
	Targets []string      // nodes that a run applies
	// Idle says why a run has nothing to do, "" where it has.
	Idle string
	// Resting says by target why a run leaves it alone; all of them where Idle.
	Resting map[string]string
	// Notes are parameters of the form that mean nothing here.
	Notes []string
	Level string // least level of a run's log: debug, info, warn, error
	// Made are the nodes the form stands for, in order.
	Made []string
	Pos  Pos

	config any // of the form
	nodes  []sdk.FormNode
}

// jobKeys are the keys of a job as they stand in a file.
type jobKeys struct {
	Form     string        `yaml:"form" doc:"Form whose parameters stand for the job's nodes; without one name sources and targets."`
	Sources  []string      `yaml:"sources" doc:"Nodes that a run polls; they are not polled otherwise."`
	Targets  []string      `yaml:"targets" doc:"Nodes that a run applies; between runs they are only renewed, and lose what must not be there."`
	Schedule ScheduleKeys  `yaml:"schedule" doc:"When it runs; by hand only, if not given."`
	CatchUp  bool          `yaml:"catch_up" doc:"Run once what was due while nothing ran; else the time is recorded as skipped."`
	Overlap  string        `yaml:"overlap" enum:"skip,queue" doc:"What becomes of a run that is due while another one of the job runs."`
	Timeout  time.Duration `yaml:"timeout" min:"1m" doc:"A run that takes longer is ended; the rest goes on with the next one. None, if not given."`
	Config   *value        `yaml:"config" doc:"The parameters of the form."`
}

// ScheduleKeys say when a job runs. Exactly one of cron, every and at is given.
type ScheduleKeys struct {
	Cron   string        `yaml:"cron" doc:"Five fields (minute, hour, day of month, month, day of week), or @hourly, @daily, @weekly, @monthly."`
	Every  time.Duration `yaml:"every" min:"1m" doc:"Time from one start to the next."`
	At     []string      `yaml:"at" doc:"Times of day, as 06:00."`
	Days   []string      `yaml:"days" doc:"Days of the week that at is for: mon, tue, …; every day, if not given."`
	Zone   string        `yaml:"zone" doc:"Time zone of cron and at, as Europe/Berlin; UTC, if not given."`
	Jitter time.Duration `yaml:"jitter" min:"0s" doc:"Each start is delayed by up to this much; how much is fixed by name and time."`
}

// jobs decodes jobs: and returns nodes: with those that forms stand for.
func (l *loader) jobs(jobs, nodes *value) *value {
	if !l.isMapping(jobs, "jobs") {
		return nodes
	}
	merged := &value{kind: mapping, pos: jobs.pos}
	if nodes != nil {
		if nodes.kind != mapping {
			return nodes // reported with the nodes
		}
		merged.pos, merged.keys = nodes.pos, slices.Clone(nodes.keys)
	}
	for _, e := range jobs.keys {
		j := l.job(e)
		if j == nil {
			continue
		}
		l.cfg.Jobs[e.name] = j
		l.cfg.JobOrder = append(l.cfg.JobOrder, e.name)
		for _, n := range j.nodes {
			if first := merged.get(n.Name); first != nil {
				l.twice("node "+n.Name+", which job "+j.Name+" makes,", e.pos, merged.keyPos(n.Name))
				continue
			}
			merged.keys = append(merged.keys, entry{n.Name, e.pos, treeOf(n.Keys, e.pos)})
			j.Made = append(j.Made, n.Name)
		}
	}
	return merged
}

// job decodes one job; nil if it cannot be used.
func (l *loader) job(e entry) *Job {
	where := "job " + e.name
	if !nodeName.MatchString(e.name) {
		l.report.fail(e.pos, nameHelp, "%q cannot be the name of a job", e.name)
	}
	if e.val.kind == null {
		l.report.fail(e.pos, "give it a form, or sources and targets", "%s is empty", where)
		return nil
	}
	if !l.decode.wants(e.val, mapping, where) {
		return nil
	}
	keys := jobKeys{Overlap: "skip"}
	before := l.report.errors()
	l.decode.structure(e.val, reflect.ValueOf(&keys).Elem(), where)
	if l.report.errors() > before || e.val.anyBroken() {
		return nil
	}
	j := &Job{
		Name: e.name, Form: keys.Form, CatchUp: keys.CatchUp, Queue: keys.Overlap == "queue", Timeout: keys.Timeout,
		Sources: keys.Sources, Targets: keys.Targets, Level: "info", Pos: e.pos,
		Spec: timetable.Spec{Cron: keys.Schedule.Cron, Every: keys.Schedule.Every, At: keys.Schedule.At, Days: keys.Schedule.Days, Jitter: keys.Schedule.Jitter},
	}
	l.timetable(j, &keys.Schedule, e.val.get("schedule"))
	if keys.Form == "" {
		return l.plainJob(j, &keys, e.val)
	}
	return l.formed(j, &keys, e.val)
}

func (l *loader) timetable(j *Job, keys *ScheduleKeys, v *value) {
	if v == nil || v.kind != mapping {
		return
	}
	if keys.Zone != "" {
		zone, err := time.LoadLocation(keys.Zone)
		if err != nil {
			l.report.fail(v.get("zone").pos, "as Europe/Berlin or UTC", "there is no time zone %q", keys.Zone)
			return
		}
		j.Spec.Zone = zone
	}
	if err := j.Spec.Validate(); err != nil {
		at := v.pos
		for _, key := range []string{"cron", "every", "at", "days"} {
			if v.get(key) != nil {
				at = v.keyPos(key)
			}
		}
		l.report.fail(at, "", "schedule of job %s: %v", j.Name, err)
	}
}

func (l *loader) plainJob(j *Job, keys *jobKeys, v *value) *Job {
	if keys.Config != nil && keys.Config.kind != null {
		l.report.fail(v.keyPos("config"), "name the form under form:", "config has no meaning for a job without a form")
	}
	if len(j.Sources)+len(j.Targets) == 0 {
		l.report.fail(j.Pos, "name nodes under sources: and targets:, or a form", "job %s does nothing", j.Name)
	}
	return j
}

func (l *loader) formed(j *Job, keys *jobKeys, v *value) *Job {
	var form *sdk.Form
	var names []string
	for i := range l.opts.Forms {
		names = append(names, l.opts.Forms[i].Name)
		if l.opts.Forms[i].Name == keys.Form {
			form = &l.opts.Forms[i]
		}
	}
	for _, key := range []string{"sources", "targets"} {
		if v.get(key) != nil {
			l.report.fail(v.keyPos(key), "remove it, or the form", "%q has no meaning for a job with a form, which makes its own nodes", key)
		}
	}
	if form == nil {
		help := diag.DidYouMean(keys.Form, names)
		if help == "" {
			help = "forms are " + strings.Join(names, ", ")
		}
		l.report.fail(v.get("form").pos, help, "unknown form %q", keys.Form)
		return nil
	}
	cfg := keys.Config
	if cfg == nil || cfg.kind == null {
		cfg = &value{kind: mapping, pos: j.Pos}
	}
	j.config = form.NewConfig()
	if !l.decode.wants(cfg, mapping, "config") || !l.configStruct(cfg, j.config, "config of form "+form.Name) {
		return nil
	}
	x := form.Expand(j.Name, j.config)
	j.nodes, j.Idle, j.Notes, j.Resting = x.Nodes, x.Idle, x.Notes, map[string]string{}
	if x.Idle != "" {
		l.report.add(diag.Warning, j.Pos, "", "job %s does nothing: %s", j.Name, x.Idle)
	}
	for _, n := range x.Nodes {
		if n.Idle == "" {
			continue
		}
		j.Resting[n.Name] = n.Idle
		if x.Idle == "" {
			l.report.add(diag.Warning, j.Pos, "", "job %s leaves %s alone: %s", j.Name, n.Name, n.Idle)
		}
	}
	if x.Level != "" {
		j.Level = x.Level
	}
	for _, note := range x.Notes {
		l.report.add(diag.Warning, j.Pos, "", "job %s: %s", j.Name, note)
	}
	return j
}

// jobNodes checks the nodes of jobs and ties them to their jobs.
func (b *nodeBuilder) jobNodes(jobs *value) {
	for _, name := range b.cfg.JobOrder {
		j := b.cfg.Jobs[name]
		for _, made := range j.Made {
			n := b.cfg.Nodes[made]
			switch {
			case n == nil:
			case n.ClassInfo.Role == sdk.RoleSource:
				j.Sources = append(j.Sources, made)
			case n.ClassInfo.Role == sdk.RoleTarget:
				j.Targets = append(j.Targets, made)
				if n.Idle = cmp.Or(j.Idle, j.Resting[made]); n.Idle != "" {
					j.Resting[made] = n.Idle
				}
			}
		}
		tree := jobs.get(name)
		b.jobList("sources", sdk.RoleSource, j.Sources, tree.get("sources"))
		b.jobList("targets", sdk.RoleTarget, j.Targets, tree.get("targets"))
	}
}

func (b *nodeBuilder) jobList(key string, role sdk.Role, names []string, v *value) {
	for i, name := range names {
		n := b.cfg.Nodes[name]
		if n != nil && n.ClassInfo.Role == role {
			n.ByJob = true
			continue
		}
		if v == nil || n != nil && n.ClassInfo.Name == "" || slices.Contains(b.names, name) && n == nil {
			continue // its failure is reported already
		}
		if n == nil {
			b.report.fail(itemPos(v, i), b.nodeHelp(name), "there is no node %q", name)
			continue
		}
		b.report.fail(itemPos(v, i), "name a "+string(role), "%q is a %s and cannot stand under %s", name, n.ClassInfo.Role, key)
	}
}
