/** Part of the store contract; see `store-contract.ts`. */
import { describe, expect, test } from 'vitest';
import { exampleComment, exampleItem, noon } from '../../worker/examples.ts';
import type { StoreDesk } from './desk.ts';

export function mirrorContract(desk: StoreDesk): void {
  describe('the mirror of a queue', () => {
    test('the cursor is overwritten, each queue has its own', async () => {
      await desk.store.transaction(async ({ mirror }) => {
        await mirror.saveCursor('todoist', 'a', noon);
        await mirror.saveCursor('todoist', 'b', noon + 1);
      });
      expect(await desk.store.read(({ mirror }) => mirror.cursor('todoist'))).toBe('b');
      expect(await desk.store.read(({ mirror }) => mirror.cursor('github'))).toBeUndefined();
    });

    test('items are replaced whole, found by parent in the order of the list, and removed', async () => {
      await desk.store.transaction(async ({ mirror }) => {
        await mirror.saveItem('todoist', exampleItem());
        await mirror.saveItem('todoist', exampleItem({ title: 'changed', labels: ['agent-done'] }));
        for (const position of [3, 1, 2])
          await mirror.saveItem(
            'todoist',
            exampleItem({ nativeId: `child-${position}`, parentId: 'n1', position }),
          );
      });
      expect(await desk.store.read(({ mirror }) => mirror.item('todoist', 'n1'))).toMatchObject({
        title: 'changed',
        labels: ['agent-done'],
      });
      const children = await desk.store.read(({ mirror }) => mirror.children('todoist', 'n1'));
      expect(children.map(({ nativeId }) => nativeId)).toEqual(['child-1', 'child-2', 'child-3']);
      await desk.store.transaction(({ mirror }) => mirror.removeItem('todoist', 'n1'));
      expect(await desk.store.read(({ mirror }) => mirror.item('todoist', 'n1'))).toBeUndefined();
      expect(await desk.store.read(({ mirror }) => mirror.itemIds('todoist'))).toHaveLength(3);
    });

    test('comments keep their order, an edited one its place, and all can be marked as heard', async () => {
      await desk.store.transaction(async ({ mirror }) => {
        await mirror.saveComment(exampleComment('second', { nativeId: 'c2', postedAt: noon + 2 }));
        await mirror.saveComment(exampleComment('first', { nativeId: 'c1', postedAt: noon + 1 }));
        await mirror.saveComment(exampleComment('first, edited', { nativeId: 'c1', postedAt: noon + 9 }));
        await mirror.saveComment(exampleComment('of another', { nativeId: 'c3', taskNativeId: 'n2' }));
      });
      const read = async (): Promise<[string, boolean][]> =>
        (await desk.store.read(({ mirror }) => mirror.comments('todoist', 'n1'))).map(({ text, used }) => [
          text,
          used,
        ]);
      expect(await read()).toEqual([
        ['first, edited', false],
        ['second', false],
      ]);
      await desk.store.transaction(({ mirror }) => mirror.useComments('todoist', ['c1', 'c2']));
      expect(await read()).toEqual([
        ['first, edited', true],
        ['second', true],
      ]);
      expect((await desk.store.read(({ mirror }) => mirror.comment('todoist', 'c3')))?.used).toBe(false);
      await desk.store.transaction(({ mirror }) => mirror.removeComment('todoist', 'c1'));
      expect(await read()).toEqual([['second', true]]);
    });
  });
}
