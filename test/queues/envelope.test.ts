/** The messages: what is taken, what is refused and by which field, and that the published schema says the same. */
import { describe, expect, it } from 'vitest';
import {
  encodeTask,
  maxEnvelope,
  parseCompletion,
  parseControl,
  parseTask,
  publishedSchemas,
} from '../../tools/queues/envelope.ts';
import { priorities, priorityOf, rankOf } from '../../tools/queues/priority.ts';

/** As the architecture that this comes from has it, field for field, with relative references. */
const task = {
  task_id: 'task-123',
  from: 'coordinator',
  to: 'implementation-worker',
  type: 'implementation',
  priority: 'normal',
  ttl_seconds: 3600,
  reply_to: 'results.coordinator',
  context_ref: 'tasks/task-123.md',
  instructions: 'Implement one scoped change and run tests.',
  expected_output: { format: 'markdown', artifacts: ['summary', 'patch', 'test-output', 'risks'] },
  created_at: '2026-03-03T10:00:00.000Z',
};
const completion = {
  task_id: 'task-123',
  from: 'implementation-worker',
  to: 'coordinator',
  status: 'completed',
  result_ref: 'results/task-123.md',
  summary: 'Implemented and tested the scoped change.',
  created_at: '2026-03-03T11:00:00.000Z',
};
const bytes = (message: unknown): Buffer => Buffer.from(JSON.stringify(message));
const parse = (more: object): unknown => parseTask(bytes({ ...task, ...more }));

describe('an envelope', () => {
  it('is taken as it is, with all that we do not know', () => {
    const strange = { colour: 'blue', expected_output: { ...task.expected_output, shape: { round: true } } };
    expect(parse(strange)).toEqual({ ...task, ...strange, schema: 'agentq/task/1' });
    expect(parseCompletion(bytes({ ...completion, cost: 1 }))).toMatchObject({ ...completion, cost: 1 });
  });

  it('needs little', () => {
    const { task_id, from, to, created_at } = task;
    expect(parseTask(bytes({ task_id, from, to, created_at }))).toEqual({
      schema: 'agentq/task/1',
      task_id,
      from,
      to,
      created_at,
      type: 'task',
      priority: 'normal',
      instructions: '',
    });
  });

  const wrong: [string, unknown][] = [
    ['task_id', undefined],
    ['task_id', '../../etc/passwd'],
    ['task_id', '-rf'],
    ['task_id', 'a\u001b[2J'],
    ['from', 'Big Boss'],
    ['to', 'a.b'],
    ['to', '*'],
    ['priority', 'very'],
    ['ttl_seconds', 0],
    ['ttl_seconds', 1.5],
    ['ttl_seconds', 1e12],
    ['ttl_seconds', '60'],
    ['reply_to', 'task.writer'],
    ['reply_to', 'results.#'],
    ['context_ref', '/etc/passwd'],
    ['context_ref', 'file:///shared/tasks/task-123.md'],
    ['context_ref', 'tasks/../../secret.md'],
    ['context_ref', 'tasks/./a.md'],
    ['context_ref', 'tasks\\a.md'],
    ['context_ref', 'tasks//a.md'],
    ['instructions', 7],
    ['expected_output.format', { format: 'docx' }],
    ['expected_output.artifacts.0', { artifacts: [''] }],
    ['context_provenance.sha256', { by: 'me', at: task.created_at, sha256: 'abc' }],
    ['created_at', 'yesterday'],
    ['created_at', '2026-03-03'],
    ['depth', -1],
    ['budget_usd', -1],
    ['schema', 'agentq/task/2'],
  ];
  it.each(wrong)('with a wrong %s is refused by that name: %j', (field, value) => {
    const [key = ''] = field.split('.');
    expect(() => parse({ [key]: value })).toThrow(
      expect.objectContaining({
        code: 'BAD_INPUT',
        message: expect.stringContaining(`malformed: ${field}: `) as string,
      }) as Error,
    );
  });

  it('that is no JSON, no object, no UTF-8 or too large is refused', () => {
    expect(() => parseTask(Buffer.from('{"task_id":'))).toThrow(/it is not JSON/);
    expect(() => parseTask(Buffer.from('[]'))).toThrow(/malformed/);
    expect(() => parseTask(Buffer.from([0x7b, 0xff, 0x7d]))).toThrow(/it is not JSON in UTF-8/);
    const room = maxEnvelope - bytes(task).length + task.instructions.length;
    expect(parse({ instructions: 'x'.repeat(room) })).toMatchObject({ task_id: 'task-123' });
    expect(() => parse({ instructions: 'x'.repeat(room + 1) })).toThrow(/at most 64 KiB, got: 65537 bytes/);
  });

  it('does not reach what all objects share', () => {
    const parsed = parseTask(
      Buffer.from(JSON.stringify(task).replace('{', '{"__proto__":{"polluted":true},')),
    );
    expect(Object.prototype).not.toHaveProperty('polluted');
    expect(parsed.task_id).toBe('task-123');
  });

  it('is not sent where it would not be taken', () => {
    expect(encodeTask(parseTask(bytes(task))).toString()).toContain('"task_id":"task-123"');
    expect(() => encodeTask({ ...parseTask(bytes(task)), context_ref: '/abs' })).toThrow(/context_ref/);
  });

  it('for all workers names an act that we know', () => {
    const control = { action: 'cancel', task_id: 'task-1', created_at: task.created_at };
    expect(parseControl(bytes(control))).toMatchObject({ action: 'cancel', reason: '' });
    expect(() => parseControl(bytes({ ...control, action: 'delete' }))).toThrow(/action/);
  });
});

describe('the published schemas', () => {
  it('are JSON Schema with the same fields, and leave room for others', () => {
    const schemas = publishedSchemas() as Record<'task' | 'completion', Record<string, unknown>>;
    for (const [name, message] of [
      ['task', task],
      ['completion', completion],
    ] as const) {
      const { properties, required, additionalProperties, $schema } = schemas[name];
      expect($schema).toContain('json-schema.org');
      expect(Object.keys(properties as object)).toEqual(expect.arrayContaining(Object.keys(message)));
      expect(required).toEqual(expect.arrayContaining(['task_id', 'from', 'to', 'created_at']));
      expect(additionalProperties).not.toBe(false);
    }
    expect(schemas.task['required']).not.toContain('priority');
  });
});

it('a priority has one name and one rank', () => {
  expect(priorities.map(rankOf)).toEqual([1, 2, 3, 4]);
  expect([1, 2, 3, 4].map(priorityOf)).toEqual([...priorities]);
  expect([0, 9].map(priorityOf)).toEqual(['urgent', 'low']);
});
