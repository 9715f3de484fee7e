import type { Plan } from '../../runtime/plan/plan.ts'
import type { PlanNode } from '../../runtime/plan/planGraph.ts'

/** Characters that trees are drawn with. */
export interface Drawing {
  readonly branch: string
  readonly lastBranch: string
  readonly trunk: string
  readonly arrow: string
  readonly ellipsis: string
}

export const boxDrawing: Drawing = { branch: '├─ ', lastBranch: '└─ ', trunk: '│  ', arrow: '→', ellipsis: '…' }
export const asciiDrawing: Drawing = { branch: '|- ', lastBranch: '`- ', trunk: '|  ', arrow: '->', ellipsis: '...' }

/** Box characters on a terminal whose locale is UTF-8, ASCII everywhere else. */
export function drawingFor(isTerminal: boolean, environment: Readonly<Record<string, string | undefined>>): Drawing {
  // The first that is set decides, and an empty one counts as not set.
  const locale = ['LC_ALL', 'LC_CTYPE', 'LANG'].map((name) => environment[name] ?? '').find((value) => value !== '')
  return isTerminal && /utf-?8/i.test(locale ?? '') ? boxDrawing : asciiDrawing
}

/**
 * The plan as trees: one from each source down to its sinks, and one from each side output. A step that several streams
 * reach is drawn in full once and named where it is met again. `title`: the job, as people are told of it.
 */
export function planText(plan: Plan, drawing: Drawing, title: string = plan.job): readonly string[] {
  const nodes = new Map(plan.nodes.map((node) => [node.id, node]))
  const next = new Map<string, string[]>()
  const reached = new Set<string>()
  for (const { from, to } of plan.edges) {
    // A side output is a tree of its own, because any step may feed it.
    if (!nodes.has(to) || nodes.get(to)?.role === 'side output') continue
    next.set(from, [...(next.get(from) ?? []), to])
    reached.add(to)
  }
  const lines = [
    `job ${title}`,
    `  consumer group ${plan.groupId}, transactional ids ${plan.transactionalIdPrefix}-${drawing.ellipsis}`,
    `  ${plan.stateful ? 'keeps state' : 'keeps no state'}, uses ${plan.ports.map(({ name }) => name).join(', ') || 'no other system'}`,
  ]
  const drawn = new Set<string>()
  const draw = (id: string, first: string, rest: string): void => {
    const node = nodes.get(id)
    if (node === undefined) return
    if (drawn.has(id)) {
      lines.push(`${first}${node.name} (drawn above)`)
      return
    }
    drawn.add(id)
    lines.push(`${first}${nodeText(node, drawing)}`)
    const followers = next.get(id) ?? []
    for (const [i, follower] of followers.entries()) {
      const isLast = i === followers.length - 1
      draw(
        follower,
        `${rest}${isLast ? drawing.lastBranch : drawing.branch}`,
        `${rest}${isLast ? '   ' : drawing.trunk}`,
      )
    }
  }
  const roots = plan.nodes.filter(({ id }) => !reached.has(id))
  const sideOutputsLast = [
    ...roots.filter(({ role }) => role !== 'side output'),
    ...plan.nodes.filter(({ role }) => role === 'side output'),
  ]
  for (const { id } of sideOutputsLast) {
    lines.push('')
    draw(id, '', '')
  }
  for (const warning of plan.warnings) lines.push('', `warning: ${warning}`)
  return lines
}

function nodeText(node: PlanNode, drawing: Drawing): string {
  const isSideOutput = node.role === 'side output'
  const parts = [isSideOutput ? `side output ${node.name}` : node.name]
  if (!isSideOutput && node.name !== node.kind) parts.push(`(${node.kind})`)
  if (node.uid !== null) parts.push(`uid=${node.uid}`)
  for (const [name, value] of Object.entries(node.details)) parts.push(`${name}=${String(value)}`)
  if (node.onError !== null) parts.push(`errors ${drawing.arrow} ${node.onError}`)
  return parts.join(' ')
}
