"""The routing tree of a configuration, as the domain wants it."""

from dataclasses import replace

from tmcwatch.config.model import ChildRoute, Config
from tmcwatch.domain.fallback import with_fallback
from tmcwatch.domain.routing import Route


def routing_tree(config: Config) -> Route:
    """Answer with the routes, each setting taken from the parent where it is not set.

    Branches are added by which a receiver that fails is told of to another one.
    """
    root = config.route
    parent = Route(
        receiver=root.receiver,
        group_by=root.group_by,
        group_wait=root.group_wait,
        group_interval=root.group_interval,
        repeat_interval=root.repeat_interval,
    )
    tree = replace(parent, routes=tuple(_branch(branch, parent) for branch in root.routes))
    names = [receiver.name for receiver in config.receivers]
    return with_fallback(tree, fallback=config.fallback, receivers=names)


def _branch(child: ChildRoute, parent: Route) -> Route:
    own = Route(
        receiver=parent.receiver if child.receiver is None else child.receiver,
        group_by=parent.group_by if child.group_by is None else child.group_by,
        group_wait=parent.group_wait if child.group_wait is None else child.group_wait,
        group_interval=(
            parent.group_interval if child.group_interval is None else child.group_interval
        ),
        repeat_interval=(
            parent.repeat_interval if child.repeat_interval is None else child.repeat_interval
        ),
        matchers=child.matchers,
        goes_on=child.goes_on,
        muted_in=child.mute_time_intervals,
        active_in=child.active_time_intervals,
    )
    return replace(own, routes=tuple(_branch(branch, own) for branch in child.routes))
