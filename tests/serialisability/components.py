"""Strongly connected components and shortest cycles of a directed graph, without recursion."""
import collections


def components(nodes, successors):
    """The strongly connected components of more than one node (Tarjan). `successors(node)` gives an iterable."""
    index, low, on_stack, stack, found = {}, {}, set(), [], []
    for root in nodes:
        if root in index:
            continue
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        work = [(root, iter(successors(root)))]
        while work:
            node, rest = work[-1]
            for following in rest:
                if following not in index:
                    index[following] = low[following] = len(index)
                    stack.append(following)
                    on_stack.add(following)
                    work.append((following, iter(successors(following))))
                    break
                if following in on_stack:
                    low[node] = min(low[node], index[following])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    component = set()
                    while True:
                        member = stack.pop()
                        on_stack.discard(member)
                        component.add(member)
                        if member == node:
                            break
                    if len(component) > 1:
                        found.append(component)
    return found


def path(begin, goal, successors):
    """A shortest path [begin, …, goal] of at least one edge; None when there is none."""
    before, queue = {}, collections.deque([begin])
    while queue:
        node = queue.popleft()
        for following in successors(node):
            if following == goal:
                steps = [goal, node]
                while steps[-1] != begin:
                    steps.append(before[steps[-1]])
                return steps[::-1]
            if following not in before and following != begin:
                before[following] = node
                queue.append(following)
    return None
