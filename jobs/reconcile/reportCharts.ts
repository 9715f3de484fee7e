import { visible } from 'tidemark'
import { cutMiddle, formatCount } from './figures.ts'

/** One piece of a bar: what it stands for, and the class that gives its colour. */
export interface Segment {
  readonly name: string
  readonly colourClass: string
  readonly count: number
}

export interface Bar {
  readonly label: string
  readonly segments: readonly Segment[]
}

export interface BarChart {
  /** Unique in the page; letters only. */
  readonly id: string
  readonly title: string
  readonly description: string
  readonly bars: readonly Bar[]
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** Any text as HTML, in elements and in quoted attributes; what is not seen is written as an escape. */
export function escapeHtml(text: string): string {
  return visible(text).replaceAll(/[&<>"']/g, (character) => entities[character] ?? '')
}

// Units of the drawing; the page scales it as a whole.
const width = 760
const countWidth = 64
const rowHeight = 28
const barHeight = 16
const characterWidth = 7.3
const labelCharacters = 36
/** What is there is seen, however small its share. */
const leastSegment = 2
const gap = 1.5

/** Horizontal bars on one common scale, each made of segments, as an inline SVG with a title and a description. */
export function barChart({ id, title, description, bars }: BarChart): string {
  const labels = bars.map(({ label }) => cutMiddle(visible(label), labelCharacters))
  const start = Math.ceil(Math.max(...labels.map(({ length }) => length)) * characterWidth) + 14
  const unitsPerCount = (width - countWidth - start) / Math.max(1, ...bars.map(totalOf))
  const height = bars.length * rowHeight
  const rows = bars.map((bar, index) => {
    const middle = index * rowHeight + rowHeight / 2
    const label = `<text class="label" x="0" y="${String(middle)}"><title>${escapeHtml(bar.label)}</title>${escapeHtml(labels[index] ?? '')}</text>`
    return `<g>\n${label}\n${rectanglesOf(bar, { start, middle, unitsPerCount })}\n</g>`
  })
  return `<div class="scroll"><svg viewBox="0 0 ${String(width)} ${String(height)}" role="img" aria-labelledby="${id}-title ${id}-description">
<title id="${id}-title">${escapeHtml(title)}</title>
<desc id="${id}-description">${escapeHtml(description)}</desc>
<line class="axis" x1="${String(start)}" y1="0" x2="${String(start)}" y2="${String(height)}"/>
${rows.join('\n')}
</svg></div>`
}

function totalOf({ segments }: Bar): number {
  return segments.reduce((sum, { count }) => sum + count, 0)
}

interface Place {
  readonly start: number
  readonly middle: number
  readonly unitsPerCount: number
}

function rectanglesOf(bar: Bar, { start, middle, unitsPerCount }: Place): string {
  let x = start + gap
  const rectangles = bar.segments
    .filter(({ count }) => count > 0)
    .map(({ name, colourClass, count }) => {
      const length = Math.max(leastSegment, count * unitsPerCount - gap)
      const tooltip = `<title>${escapeHtml(`${bar.label}: ${name} ${formatCount(count)}`)}</title>`
      const place = `x="${x.toFixed(1)}" y="${String(middle - barHeight / 2)}" width="${length.toFixed(1)}"`
      x += length + gap
      return `<rect class="${colourClass}" ${place} height="${String(barHeight)}" rx="2">${tooltip}</rect>`
    })
  const count = `<text class="count" x="${(x + 6).toFixed(1)}" y="${String(middle)}">${formatCount(totalOf(bar))}</text>`
  return `${rectangles.join('')}\n${count}`
}
