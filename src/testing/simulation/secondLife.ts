/** What stands behind the name of a topic that was deleted and made anew; no topic's name has a space. */
const mark = ' again'

/** What the positions of such a topic begin with. */
export function againTopic(topic: string): string {
  return `${topic}${mark}`
}

/** The name of a position, `topic partition@offset`, in the second topic of that name. */
export function againPosition(position: string): string {
  return position.replace(' ', `${mark} `)
}

/** The position of the same record in the first one. */
export function firstPosition(position: string): string {
  return position.replace(`${mark} `, ' ')
}
