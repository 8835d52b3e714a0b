-- How Argo CD shows the kinds of hipaa-operator.io. It says what kstatus says,
-- so that Argo CD, Flux and kubectl wait agree:
--   Progressing  the operator has not finished with this generation
--   Degraded     only a person can help (Stalled)
--   Healthy      judged, and what the operator owns is in place
-- Healthy does not mean that every safeguard is met: the message tells how many
-- are, and SafeguardsMet why.

local function progressing(message)
  return {status = "Progressing", message = message}
end

if obj.metadata.deletionTimestamp ~= nil then
  return progressing("Being deleted: it is released once its last pod has gone")
end

local status = obj.status
if status == nil or status.conditions == nil then
  return progressing("Waiting for the operator to look at it")
end
if status.observedGeneration ~= nil and status.observedGeneration ~= obj.metadata.generation then
  return progressing("Waiting for the operator to look at the latest change")
end

local conditions = {}
for _, condition in ipairs(status.conditions) do
  conditions[condition.type] = condition
end

local function holds(name)
  return conditions[name] ~= nil and conditions[name].status == "True"
end

local function say(condition)
  if condition.message ~= nil and condition.message ~= "" then
    return condition.message
  end
  return condition.reason or ""
end

if holds("Stalled") then
  return {status = "Degraded", message = say(conditions.Stalled)}
end
if holds("Reconciling") then
  return progressing(say(conditions.Reconciling))
end
if holds("Ready") then
  local message = say(conditions.Ready)
  local paused = conditions.NotPaused
  if paused ~= nil and paused.status == "False" then
    message = message .. "; paused: " .. say(paused)
  end
  return {status = "Healthy", message = message}
end
if conditions.Ready ~= nil then
  return progressing(say(conditions.Ready))
end
return progressing("Waiting for the operator to judge it")
