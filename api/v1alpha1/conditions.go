package v1alpha1

// Condition types. All are positive: True is the good state. Reconciling and
// Stalled are those of kstatus and present only while they are True.
const (
	// ConditionReady is True when the operator has judged this generation under
	// its profiles and everything that it owns for the object is in place. It
	// says nothing about how many safeguards are met: SafeguardsMet does.
	ConditionReady = "Ready"

	// ConditionReconciling is True while the operator has not finished with this
	// generation and goes on by itself.
	ConditionReconciling = "Reconciling"

	// ConditionStalled is True when only a person can help. Its reason says with what.
	ConditionStalled = "Stalled"

	// ConditionProfileBound is True when at least one ComplianceProfile governs
	// the workload and all that are named exist and agree.
	ConditionProfileBound = "ProfileBound"

	// ConditionSelectorUnique is True when no other PHIWorkload of the namespace
	// selects a pod that this one selects.
	ConditionSelectorUnique = "SelectorUnique"

	// ConditionFlowsResolved is True when every declared caller and destination
	// leads to pods or addresses and port numbers, so that it is a rule of a
	// NetworkPolicy where Enforce takes effect. What is not resolved stays closed.
	ConditionFlowsResolved = "FlowsResolved"

	// ConditionSafeguardsMet is True when no control fails, is excepted or is
	// unknown; Unknown when none fails or is excepted but one is unknown.
	ConditionSafeguardsMet = "SafeguardsMet"

	// ConditionDriftFree is True when what the operator owns is as it wants it
	// and nothing that widens access has been added.
	ConditionDriftFree = "DriftFree"

	// ConditionEnforced is True when stage is Enforced and no pause is in force:
	// Enforce takes effect.
	ConditionEnforced = "Enforced"

	// ConditionPodsProtected is True when every running pod went through
	// admission with its safeguards, or needs none, and where no pod runs, admission
	// would let the next one in.
	ConditionPodsProtected = "PodsProtected"

	// ConditionContinuityKept is True when what continuity asks for holds while the
	// operator is down: for PatientCare, that the webhooks of its namespace do not keep
	// pods from starting. What such pods carry then stands in their templates alone.
	ConditionContinuityKept = "ContinuityKept"

	// ConditionHomeRegionsOnly is True when no failover of a profile is in force: PHI may
	// be where the profiles always allow it, and nowhere else. While it is False its
	// lastTransitionTime says since when a failover lasts.
	ConditionHomeRegionsOnly = "HomeRegionsOnly"

	// ConditionReleased is present on a PHIWorkload that is being deleted. It is
	// True when no selected pod lives and the owned objects are gone.
	ConditionReleased = "Released"

	// ConditionValid is True when the spec of a ComplianceProfile makes sense as
	// a whole: what it extends exists, its controls are known.
	ConditionValid = "Valid"

	// ConditionAdmissionGuarded is True on a ComplianceProfile when the webhook
	// configurations and admission policies of the operator are as installed.
	ConditionAdmissionGuarded = "AdmissionGuarded"

	// ConditionNotPaused is True on a ComplianceProfile when no pause is in force.
	ConditionNotPaused = "NotPaused"

	// ConditionAcceptancesFit is present on a ComplianceProfile with
	// rollout.acceptedPreviews. It is True when each of them fits the present
	// preview of its workload, or has done its work.
	ConditionAcceptancesFit = "AcceptancesFit"

	// ConditionApproved is True on a ControlException when an approval stands
	// that covers the present spec and the PHIWorkload that exists now.
	ConditionApproved = "Approved"

	// ConditionInForce is True on a ControlException when it counts now:
	// approved, not expired, no longer than profiles allow, and with the record
	// that an addressable specification asks for.
	ConditionInForce = "InForce"

	// ConditionAgreementInForce is True on a Vendor when its agreement is signed and
	// effective, has every clause that the law asks for, and has not ended. Without it new
	// flows to the vendor are refused, and workloads that have one fail.
	ConditionAgreementInForce = "AgreementInForce"

	// ConditionCallsOpen is True on a Vendor when phi-egress lets out the calls of workloads
	// that name it: its agreement is in force, or has ended while nobody decided to close
	// them. Unknown where phi-egress is not there.
	ConditionCallsOpen = "CallsOpen"

	// ConditionExpiring is present on a ControlException or a Vendor while it is True: the
	// exception is in force and its end nearer than a spec.exceptions.warnHoursBefore of the
	// profiles, or the agreement is, and its end 60, 30 or 7 days away.
	ConditionExpiring = "Expiring"
)

// Reasons of conditions; event reasons are the same words.
const (
	// ReasonSafeguardsInForce is the reason of Ready when it is True, Enforce takes
	// effect and at least one safeguard is met. The message tells how many are not.
	ReasonSafeguardsInForce = "SafeguardsInForce"

	// ReasonNothingInForce is the reason of Ready when it is True and Enforce takes
	// effect, but no safeguard is known to be met: none applies, each fails, or
	// nothing is known yet, as before the first pod.
	ReasonNothingInForce = "NothingInForce"

	// ReasonReportedOnly is the reason of Ready when it is True and no control has
	// mode Enforce now, by the profile, the stage or a pause: verdicts are reported,
	// nothing is enforced. It is the reason of PodsProtected when pods lack
	// safeguards that are not enforced.
	ReasonReportedOnly = "ReportedOnly"

	// ReasonAllMet is the reason of SafeguardsMet when it is True.
	ReasonAllMet = "AllMet"

	// ReasonSafeguardsFailing is the reason of SafeguardsMet when a control fails.
	ReasonSafeguardsFailing = "SafeguardsFailing"

	// ReasonSafeguardsExcepted is the reason of SafeguardsMet when none fails
	// but an exception covers one that would.
	ReasonSafeguardsExcepted = "SafeguardsExcepted"

	// ReasonEvidenceMissing is the reason of an Unknown that a missing data
	// source explains.
	ReasonEvidenceMissing = "EvidenceMissing"

	// ReasonInternalError is the reason of an Unknown after an unexpected error.
	// The operator tries again with backoff.
	ReasonInternalError = "InternalError"

	// ReasonProgressing is the reason of Reconciling.
	ReasonProgressing = "Progressing"

	// ReasonBound is the reason of ProfileBound when it is True.
	ReasonBound = "Bound"

	// ReasonNoProfile means that no ComplianceProfile governs the namespace.
	// Lifted by the watch on ComplianceProfiles and namespaces.
	ReasonNoProfile = "NoProfile"

	// ReasonProfileNotFound means that profileRef or extends names a profile that
	// does not exist. Lifted by the watch on ComplianceProfiles.
	ReasonProfileNotFound = "ProfileNotFound"

	// ReasonProfileConflict means that two profiles set what cannot be merged.
	// Lifted by the watch on ComplianceProfiles.
	ReasonProfileConflict = "ProfileConflict"

	// ReasonNamespaceNotPHI means that the namespace lacks the label
	// hipaa-operator.io/phi: "true". Lifted by the watch on namespaces.
	ReasonNamespaceNotPHI = "NamespaceNotPHI"

	// ReasonPodsStart is the reason of ContinuityKept when pods of a PatientCare workload
	// start while the operator is down.
	ReasonPodsStart = "PodsStart"

	// ReasonPodsWait is the reason of ContinuityKept when new pods wait for the operator,
	// and continuity lets them.
	ReasonPodsWait = "PodsWait"

	// ReasonNamespaceNotPatientCare is the reason of ContinuityKept when a PatientCare
	// workload stands in a namespace without the label hipaa-operator.io/continuity.
	// The label lifts it.
	ReasonNamespaceNotPatientCare = "NamespaceNotPatientCare"

	// ReasonRegionsOpen is the reason of HomeRegionsOnly when no profile says in which
	// regions PHI may be.
	ReasonRegionsOpen = "RegionsOpen"

	// ReasonNoFailover is the reason of HomeRegionsOnly when it is True.
	ReasonNoFailover = "NoFailover"

	// ReasonFailoverInForce means that a profile allows further regions while a disaster
	// lasts. It ends by itself at residency.failover.expires; the message says which
	// regions, by which profile, and until when.
	ReasonFailoverInForce = "FailoverInForce"

	// ReasonUnique is the reason of SelectorUnique when it is True.
	ReasonUnique = "Unique"

	// ReasonSelectorOverlaps means that another PHIWorkload selects a pod of
	// this one. Both are judged; the most restrictive answer counts.
	ReasonSelectorOverlaps = "SelectorOverlaps"

	// ReasonResolved is the reason of FlowsResolved when it is True.
	ReasonResolved = "Resolved"

	// ReasonFlowUnresolved means that a declared flow could not become a rule and
	// stays closed. The message names it.
	ReasonFlowUnresolved = "FlowUnresolved"

	// ReasonNoDrift is the reason of DriftFree when nothing was found.
	ReasonNoDrift = "NoDrift"

	// ReasonCorrected is the reason of DriftFree when drift was found and put right.
	ReasonCorrected = "Corrected"

	// ReasonDriftResolved is the reason of DriftFree when the last drift went away
	// without the operator, and of the event that tells so.
	ReasonDriftResolved = "DriftResolved"

	// ReasonDrifted is the reason of DriftFree when drift stands.
	ReasonDrifted = "Drifted"

	// ReasonEnforced is the reason of Enforced when it is True.
	ReasonEnforced = "Enforced"

	// ReasonPreviewNotEmpty means that the workload waits in stage Previewing.
	// Lifted when the preview becomes empty, the profile accepts it, or
	// rollout.enforceBy passes.
	ReasonPreviewNotEmpty = "PreviewNotEmpty"

	// ReasonModeNotEnforce means that no control of the workload has mode Enforce.
	ReasonModeNotEnforce = "ModeNotEnforce"

	// ReasonPaused means that a pause of a profile, or of the webhooks, is in force.
	// It ends by itself; the message says when, and who wrote it.
	ReasonPaused = "Paused"

	// ReasonPodsAdmitted is the reason of PodsProtected when it is True.
	ReasonPodsAdmitted = "PodsAdmitted"

	// ReasonNoPods is the reason of PodsProtected when no pod is selected.
	ReasonNoPods = "NoPods"

	// ReasonReplacementPending means that pods without their safeguards are
	// being replaced, within the profile's window and budget, and the pace of the
	// cluster.
	ReasonReplacementPending = "ReplacementPending"

	// ReasonReplacementWouldBeRefused means that a pod without its safeguards
	// runs on, because admission would refuse the pod that comes after it, or that
	// no pod runs and admission would refuse the next one.
	ReasonReplacementWouldBeRefused = "ReplacementWouldBeRefused"

	// ReasonReplacementNeedsPerson means that a pod without its safeguards runs
	// on, because the workload is PatientCare, nothing would recreate the pod, or
	// nobody can tell whether the next one would be admitted.
	ReasonReplacementNeedsPerson = "ReplacementNeedsPerson"

	// ReasonReplacementAwaitsRestart means that a pod runs without a safeguard that
	// is worth no interruption. It gets it when it next restarts.
	ReasonReplacementAwaitsRestart = "ReplacementAwaitsRestart"

	// ReasonPodsLive means that a deleted workload waits for its last pod.
	ReasonPodsLive = "PodsLive"

	// ReasonReleased is the reason of Released when it is True.
	ReasonReleased = "Released"

	// ReasonValid is the reason of Valid when it is True.
	ReasonValid = "Valid"

	// ReasonUnknownControl means that a profile names a control that neither the
	// catalogue has nor a profile brings.
	ReasonUnknownControl = "UnknownControl"

	// ReasonInvalidControl means that a custom control of a profile cannot be judged
	// as it is written.
	ReasonInvalidControl = "InvalidControl"

	// ReasonUnknownRuleset means that a profile pins a ruleset that this version
	// of the operator does not have.
	ReasonUnknownRuleset = "UnknownRuleset"

	// ReasonExtendsCycle means that a profile extends itself, at once or through
	// others.
	ReasonExtendsCycle = "ExtendsCycle"

	// ReasonInvalidWindow means that rollout.window of a profile cannot be read,
	// such as an unknown time zone. Until it is mended the window never opens.
	ReasonInvalidWindow = "InvalidWindow"

	// ReasonAsInstalled is the reason of AdmissionGuarded when it is True.
	ReasonAsInstalled = "AsInstalled"

	// ReasonAdmissionRestored means that a webhook configuration or admission
	// policy was changed or deleted and has been put right.
	ReasonAdmissionRestored = "AdmissionRestored"

	// ReasonRunning is the reason of NotPaused when it is True.
	ReasonRunning = "Running"

	// ReasonAllFit is the reason of AcceptancesFit when it is True.
	ReasonAllFit = "AllFit"

	// ReasonPreviewChanged means that an accepted preview is not the present one:
	// somebody has to read again. Lifted by the watch on PHIWorkloads.
	ReasonPreviewChanged = "PreviewChanged"

	// ReasonApproved is the reason of Approved when it is True.
	ReasonApproved = "Approved"

	// ReasonApprovalPending means that nobody has decided yet.
	ReasonApprovalPending = "ApprovalPending"

	// ReasonDenied means that the approver said no.
	ReasonDenied = "Denied"

	// ReasonApprovalVoid means that the spec changed after the decision, or that
	// the PHIWorkload that it was about is gone.
	ReasonApprovalVoid = "ApprovalVoid"

	// ReasonInForce is the reason of InForce when it is True.
	ReasonInForce = "InForce"

	// ReasonExpired means that the end of the exception, or of the agreement, has come.
	ReasonExpired = "Expired"

	// ReasonNoAgreement means that a Vendor has no agreement: nobody may call it.
	ReasonNoAgreement = "NoAgreement"

	// ReasonNotYetEffective means that the agreement with a Vendor counts from an instant
	// that is to come, which lifts it.
	ReasonNotYetEffective = "NotYetEffective"

	// ReasonClausesMissing means that the agreement with a Vendor lacks a clause that the
	// law asks for. The message names it.
	ReasonClausesMissing = "ClausesMissing"

	// ReasonPastEnd means that calls to a Vendor go on although its agreement has ended, until
	// two people have decided to close them or there is another agreement.
	ReasonPastEnd = "PastEnd"

	// ReasonEgressMissing means that phi-egress is not installed or not configured yet, so that
	// nothing decides which calls to a Vendor leave. Its installation lifts it.
	ReasonEgressMissing = "EgressMissing"

	// ReasonClosedAtEnd means that calls to a Vendor were closed at the end of its agreement,
	// as spec.onEnd says. Another agreement opens them.
	ReasonClosedAtEnd = "ClosedAtEnd"

	// ReasonClosedByPeople means that two people have decided to close calls to a Vendor. They
	// open when one of them takes it back, or by another agreement.
	ReasonClosedByPeople = "ClosedByPeople"

	// ReasonNeverExcepted means that spec.exceptions.neverFor of a profile names the
	// control, so that no exception from it counts.
	ReasonNeverExcepted = "NeverExcepted"

	// ReasonTooLong means that more lies between an exception's creation and its end
	// than profiles allow. Lifted by the watch on ComplianceProfiles.
	ReasonTooLong = "TooLong"

	// ReasonRecordMissing means that an exception from an addressable specification, or
	// a profile that sets one to Off, lacks the record of 45 CFR 164.306(d)(3).
	ReasonRecordMissing = "RecordMissing"

	// ReasonNotApproved is the reason of InForce while no approval stands.
	ReasonNotApproved = "NotApproved"

	// ReasonWorkloadNotFound means that an exception names a PHIWorkload that does
	// not exist, or an accepted preview one that is not judged under the profile.
	// Lifted by the watch on PHIWorkloads.
	ReasonWorkloadNotFound = "WorkloadNotFound"
)

// Reasons of events that report something which is not a condition.
const (
	// EventDriftDetected reports a departure with path, was, want and who.
	EventDriftDetected = "DriftDetected"

	// EventDriftCorrected reports that it was put right, and after how long.
	EventDriftCorrected = "DriftCorrected"

	// EventPodEvicted reports that a pod without its safeguards was evicted.
	EventPodEvicted = "PodEvicted"

	// EventVerdictChanged reports that the verdict of a control changed.
	EventVerdictChanged = "VerdictChanged"

	// EventSafeguardEnding reports that what a verdict rests on will end before long.
	EventSafeguardEnding = "SafeguardEnding"

	// EventStageChanged reports that a workload entered or left Enforce.
	EventStageChanged = "StageChanged"

	// EventPodsUnclaimed reports that a namespace which people declared to hold PHI
	// is not closed yet: pods live there that no PHIWorkload claims.
	EventPodsUnclaimed = "PodsUnclaimed"

	// EventPodUndeclared reports, once for each pod, that it lives in a namespace
	// which people declared to hold PHI and that no PHIWorkload selects it.
	EventPodUndeclared = "PodUndeclared"

	// EventChangeRefused reports, about the manager's Deployment, that somebody tried to
	// change what the operator guards - an owned object, the PHI label of a namespace, a
	// profile, a Vendor, the definition of a kind - and was refused.
	EventChangeRefused = "ChangeRefused"

	// EventAgreementEnding warns, about a Vendor, that its agreement ends: 60, 30 and 7 days
	// before. It is the reason of Expiring there.
	EventAgreementEnding = "AgreementEnding"

	// EventExceptionEnding warns, about the exception and its PHIWorkload, that an
	// exception ends: at each spec.exceptions.warnHoursBefore of the profiles. It is the
	// reason of Expiring.
	EventExceptionEnding = "ExceptionEnding"
)
