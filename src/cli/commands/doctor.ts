import type { Command } from 'commander'
import { TidemarkError } from '../../core/errors.ts'
import { fine, type Finding } from '../../core/finding.ts'
import type { ExaminedJob } from '../../core/ports/system.ts'
import type { Plan } from '../../runtime/plan/plan.ts'
import { deadLetterTopics } from '../../runtime/plan/planLoops.ts'
import { joined } from '../../runtime/settings/chooseWorld.ts'
import type { ResolvedSettings } from '../../runtime/settings/resolvedSettings.ts'
import {
  commandJob,
  settingsOf,
  withCommonOptions,
  type CommandContext,
  type CommandJob,
  type CommonOptions,
} from '../commandContext.ts'
import { deployment } from '../loadJob.ts'
import { dataDirectoryOf, portsOf, systemsOf, withWorld } from '../openWorld.ts'

const colours = { ok: 'green', warn: 'yellow', fail: 'red' } as const

/** `tidemark doctor [job]`: whether the systems are as a job needs them. */
export function addDoctorCommand(program: Command, context: CommandContext): void {
  const real = context.systems.filter(({ keys }) => keys.length > 0)
  withCommonOptions(program.command('doctor'))
    .argument('[job]', 'job file, whose topics and consumer group are looked at too')
    .summary(`check ${joined(real.map(({ title }) => title))} for what a job needs of them`)
    .description(
      'Connects to the systems that are configured and looks at versions, transaction limits, replication, topics, the\nconsumer group, keyspaces and clocks. Changes nothing. Each line is ok, warn or fail, with what to do about it; the\nexit code is 1 when there is a fail.',
    )
    .addHelpText('after', '\nExample:\n  tidemark doctor jobs/reconcile.ts')
    .action(async (file: string | undefined, options: CommonOptions) => {
      const { out } = context
      const job = file === undefined ? null : await commandJob(context, options, file)
      const named =
        job === null || job.plan.job === job.loaded.job.name ? [] : [fine(`Job ${deployment(job.plan, job.loaded)}`)]
      const found = await examine(context, job?.settings ?? settingsOf(context, options, null), job)
      const findings = [...named, ...found]
      for (const { level, what, fix } of findings) {
        await out.line(`${out.style(colours[level], level.padEnd(4))}  ${what}`)
        if (fix !== null) await out.line(`      fix: ${fix}`)
      }
      if (findings.some(({ level }) => level === 'fail')) context.exit(1)
    })
}

async function examine(
  context: CommandContext,
  settings: ResolvedSettings,
  job: CommandJob | null,
): Promise<readonly Finding[]> {
  const { loaded = null, plan = null } = job ?? {}
  const all = systemsOf(context, loaded)
  // Without a job: every system of which anything is set.
  const set = all.filter(({ keys }) => keys.some((key) => settings.isSet(key)))
  const systems = plan === null ? all.filter((system) => system.keys.length === 0 || set.includes(system)) : all
  const ports = plan === null ? set.flatMap((system) => system.ports) : portsOf(plan)
  return withWorld(context, { settings, systems, ports, plan, purpose: 'read' }, async (opened, world) => {
    const examined = plan === null ? null : examinedJob(plan)
    const findings = await Promise.all(
      [...world.chosen, ...world.always].map((system) => asFindings(() => opened.open(system).check(examined))),
    )
    if (findings.flat().length > 0) return findings.flat()
    const directory = dataDirectoryOf(context, settings)
    return [fine(`${world.local.title} in ${directory} : there is no other system to look at`)]
  })
}

function examinedJob(plan: Plan): ExaminedJob {
  const { job, groupId, transactionalIdPrefix, sources, sinks, copartitioned } = plan
  return {
    job,
    group: 'source',
    groupId,
    transactionalIdPrefix,
    inputs: sources.map(({ topics }) => topics),
    outputs: sinks.flatMap(({ spec }) => spec.topics),
    deadLetters: deadLetterTopics(plan),
    copartitioned,
  }
}

/** A system that does not answer is a finding like any other; what a person has to correct first is not. */
async function asFindings(act: () => Promise<readonly Finding[]>): Promise<readonly Finding[]> {
  try {
    return await act()
  } catch (error) {
    if (!(error instanceof TidemarkError) || error.kind !== 'unreachable') throw error
    // Its message ends with what to do.
    return [{ level: 'fail', what: error.message, fix: null }]
  }
}
